"""The networks on a CUDA device: the same answers as on the processor, from weights that came by any way."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import zoo
from zoo.runtimes import RUNTIMES
from zoo.runtimes.agreement import relative_difference

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]

SMALL = ("alexnet", "googlenet", "mobilenet_v1:width=0.25,resolution=128", "nin", "resnet18", "vgg11_bn", "xception")
CLOSE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}  # of the largest logit


@pytest.fixture(autouse=True)
def strict(monkeypatch, tmp_path):
    """float32 means float32: TF32 would round every product to ten bits."""
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setenv("ZOO_CACHE_DIR", str(tmp_path / "cache"))


def warmed(name):
    """A network whose batch norms have seen images, and two images of it."""
    torch.manual_seed(0)
    model = zoo.create(name, num_classes=10)
    side = max(model.spec.input.min_size, 96)
    with torch.no_grad():
        model(torch.randn(4, 3, side, side))
    return model.eval(), torch.randn(2, 3, side, side)


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_logits_are_those_of_the_processor(name, dtype):
    model, images = warmed(name)
    with torch.inference_mode():
        expected = model(images)
        logits = model.to("cuda", dtype)(images.to("cuda", dtype))
    assert logits.is_cuda and logits.dtype == dtype
    assert relative_difference(logits.float().cpu(), expected) <= CLOSE[dtype]


@pytest.mark.parametrize("name", SMALL)
def test_a_network_created_there_starts_as_its_paper_says(name):
    here, there = (zoo.create(name, device=device) for device in ("cpu", "cuda"))
    assert {parameter.device.type for parameter in there.parameters()} == {"cuda"}
    for (path, ours), theirs in zip(here.named_parameters(), there.parameters(), strict=True):
        assert theirs.std(correction=0).item() == pytest.approx(ours.std(correction=0).item(), rel=0.2, abs=1e-3), path


def test_weights_go_there_and_come_back(tmp_path):
    model, images = warmed("resnet18")
    zoo.save_weights(model.cuda(), tmp_path / "there.safetensors")
    back = zoo.create("resnet18", num_classes=10, weights=tmp_path / "there.safetensors", device="cuda").eval()
    with torch.inference_mode():
        assert torch.equal(back(images.cuda()), model(images.cuda()))
    assert {tensor.device.type for tensor in back.state_dict().values()} == {"cuda"}


@pytest.mark.parametrize("runtime", [*RUNTIMES, "auto"])
def test_a_runtime_is_right_there_or_says_why_not(runtime):
    model, images = warmed("resnet18")
    with torch.inference_mode():
        expected = model(images)
    model.cuda()
    try:
        session = zoo.open_runtime(model, images.cuda(), runtime)
    except zoo.RuntimeUnavailable as error:
        assert len(str(error)) <= 300
        assert runtime not in ("eager", "channels_last", "folded", "auto")
        return
    logits = session(images.cuda())
    assert logits.is_cuda
    assert relative_difference(logits.cpu(), expected) <= 1e-3


@pytest.mark.parametrize("runtime", ["channels_last", "folded", "cuda_graphs"])
def test_a_runtime_opens_with_the_settings_that_pytorch_comes_with(runtime, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    model, images = warmed("resnet18")
    session = zoo.open_runtime(model.cuda(), images.cuda(), runtime)
    assert session.agreement.within and session.agreement.relative <= 2e-2


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_recorded_graph_answers_for_the_images_it_is_given(precision):
    model, images = warmed("mobilenet_v1:width=0.25,resolution=128")
    session = zoo.open_runtime(model.cuda(), images.cuda(), "cuda_graphs", precision=precision)
    model.cpu()
    spoilt = [
        torch.full((1 << 20,), torch.nan, device="cuda") for _ in range(64)
    ]  # where its weights may not have been
    assert spoilt and next(model.cuda().parameters()).is_cuda
    bound = {"fp32": 1e-4, "bf16": 1e-1, "fp16": 2e-2}[precision]
    kept = []
    for seed in range(3):
        others = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed)).cuda()
        with torch.inference_mode():
            expected = model(others)
        kept.append((session(others), expected))
    for answer, expected in kept:  # each its own, though all came out of one place in memory
        assert relative_difference(answer, expected) <= bound


@pytest.mark.parametrize("runtime", ["auto", "cuda_graphs"])
def test_one_session_answers_every_thread(runtime):
    model, _ = warmed("resnet18")
    model.cuda()
    batches = [torch.randn(2, 3, 96, 96, device="cuda") for _ in range(4)]
    session = zoo.open_runtime(model, batches[0], runtime)
    expected = [session(batch) for batch in batches]

    torch.cuda.synchronize()

    def wrong(place):
        with torch.cuda.stream(torch.cuda.Stream()):
            answers = [session(batches[place]) for _ in range(50)]
        torch.cuda.synchronize()
        return sum(relative_difference(answer, expected[place]) > 1e-5 for answer in answers)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(wrong, range(4))) == [0, 0, 0, 0]


def test_images_elsewhere_are_refused_in_one_line():
    model, images = warmed("resnet18")
    with pytest.raises(zoo.RuntimeUnavailable, match=r"on cuda:0 and the images are .* on cpu"):
        zoo.open_runtime(model.cuda(), images)


@pytest.mark.parametrize("name", ["googlenet:auxiliary=true", "resnet18"])
def test_a_step_of_training_is_that_of_the_processor(name):
    torch.manual_seed(0)
    model = zoo.create(name, num_classes=10).double().train()  # in float32 a ReLU at 0 may fall to either side
    for layer in model.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0  # the two devices draw other numbers
    images, labels = torch.randn(4, 3, 96, 96).double(), torch.arange(4)

    def gradients(device):
        model.to(device).zero_grad()
        logits, *auxiliary = model.forward_train(images.to(device))
        losses = [torch.nn.functional.cross_entropy(each, labels.to(device)) for each in (logits, *auxiliary)]
        sum(losses).backward()
        return [parameter.grad.cpu().clone() for parameter in model.parameters()]

    for here, there in zip(gradients("cpu"), gradients("cuda"), strict=True):
        assert relative_difference(there, here) <= 1e-8
