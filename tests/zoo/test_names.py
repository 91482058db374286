"""The mapping behind every list of the project."""

import pytest

from zoo.names import Registry

FRUIT = Registry("fruit", (("pear", 1), ("apple", 2), ("apricot", 3)))


def test_a_mapping_in_the_order_of_its_entries() -> None:
    assert list(FRUIT) == ["pear", "apple", "apricot"]
    assert dict(FRUIT) == {"pear": 1, "apple": 2, "apricot": 3}
    assert FRUIT["apple"] == 2 and "plum" not in FRUIT and FRUIT.get("plum") is None and len(FRUIT) == 3
    with pytest.raises(KeyError):
        FRUIT["plum"]


def test_nothing_can_be_added() -> None:
    with pytest.raises(TypeError):
        FRUIT["plum"] = 4  # type: ignore[index]


def test_a_name_is_given_once() -> None:
    with pytest.raises(ValueError, match="two entries are named 'pear' in the list of fruits"):
        Registry("fruit", (("pear", 1), ("apple", 2), ("pear", 3)))


def test_unknown_names_have_near_misses() -> None:
    assert FRUIT.unknown("Aple") == ("no fruit is named 'Aple'; did you mean apple? allowed: pear, apple, apricot")
    assert FRUIT.unknown("zucchini") == "no fruit is named 'zucchini'; allowed: pear, apple, apricot"
    assert FRUIT.unknown(3) == "no fruit is named 3; allowed: pear, apple, apricot"
    assert Registry("fruit", ()).unknown("pear") == "no fruit is named 'pear'; allowed: none"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("apple", ("apple",)),
        ("apricot, pear", ("apricot", "pear")),
        ("ap*", ("apple", "apricot")),
        ("ap*,pear,apple", ("apple", "apricot", "pear")),
        ("*r", ("pear",)),
        ("all", ("pear", "apple", "apricot")),
        ("pear,,", ("pear",)),
    ],
)
def test_select(text: str, names: tuple[str, ...]) -> None:
    assert FRUIT.select(text) == names


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_an_empty_list_selects_nothing(text: str) -> None:
    with pytest.raises(LookupError, match="a list of fruit names is wanted"):
        FRUIT.select(text)


@pytest.mark.parametrize("text", ["plum", "pear,plum", "x*", "PEAR"])
def test_whatever_matches_nothing_is_an_error(text: str) -> None:
    with pytest.raises(LookupError, match="no fruit is named"):
        FRUIT.select(text)


def test_a_part_of_a_name_is_a_near_miss() -> None:
    runtimes = Registry("runtime", ((name, None) for name in ("eager", "onnxruntime", "openvino")))
    assert "did you mean onnxruntime? " in runtimes.unknown("onnx")
    assert "did you mean" not in runtimes.unknown("o")
