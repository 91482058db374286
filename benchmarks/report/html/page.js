"use strict";
// Everything that is best, alike or fitting was computed before; this only shows, sorts, chooses.
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg", HTML = "http://www.w3.org/1999/xhtml";
const make = (name, attributes = {}, text = "", kind = HTML) => {
  const made = document.createElementNS(kind, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
};
const body = at("table").tBodies[0];
const rows = [...body.rows];
const heads = [...at("table").tHead.rows[0].cells];
const keys = heads.map((head) => head.dataset.key);
const titles = heads.map((head) => head.textContent);
const place = Object.fromEntries(data.figures.map((figure, index) => [figure.key, index]));
const words = rows.map((row) => row.textContent.toLowerCase());
const nameOf = (line) => data.models[data.lines[line].m].name;
const labelOf = (line) => `${nameOf(line)} (${data.ways[data.lines[line].w]})`;
const FILTERS = ["family", "runtime", "precision", "threads"];
const kinds = { family: (line) => data.models[line.m].family };
for (const kind of FILTERS.slice(1)) kinds[kind] = (line) => line.by[kind];

// all of it is in the address
const usual = () => ({
  sort: "", down: "", text: "", family: "", runtime: "", precision: "", threads: "", pins: [],
  columns: data.figures.filter((figure) => figure.open).map((figure) => figure.key),
  x: "", y: "", log: "1", open: "", limits: {},
});
let state = usual();

function readAddress() {
  state = usual();
  const hash = location.hash.slice(1);
  if (!hash.includes("=")) {
    state.open = (data.models.find((model) => model.id === hash) || { name: "" }).name;
    return;
  }
  for (const [key, value] of new URLSearchParams(hash)) {
    if (key in data.choice.limits) {
      if (value.trim() !== "" && Number.isFinite(Number(value))) state.limits[key] = value;
    } else if (key === "pin") state.pins.push(value);
    else if (key === "columns") state.columns = value.split(" ").filter((name) => name in place);
    else if (typeof state[key] === "string") state[key] = value;
  }
  state.pins = state.pins.filter((pin) => data.models.some((model) => model.name === pin));
}

function writeAddress() {
  const address = new URLSearchParams();
  const plain = usual();
  for (const [key, value] of Object.entries(state)) {
    if (key === "pins") value.forEach((pin) => address.append("pin", pin));
    else if (key === "limits") Object.entries(value).forEach((limit) => address.set(...limit));
    else if (key === "columns") {
      if (value.join(" ") !== plain.columns.join(" ")) address.set(key, value.join(" "));
    } else if (value !== plain[key]) address.set(key, value);
  }
  const text = address.toString();
  history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
}

function change(changes) {
  Object.assign(state, changes);
  writeAddress();
  show();
}

// the rule's own ends of figures, against the limits
function verdict(line, name, limit) {
  const ends = data.choice.ends[name][line];
  if (!ends) return "unknown";
  const keeps = (end) => (data.choice.limits[name].most ? end <= limit : end >= limit);
  if (ends[1] !== null && keeps(ends[1])) return "met";
  return ends[0] === null || keeps(ends[0]) ? "unsure" : "missed";
}

function choose() {
  const limits = Object.entries(state.limits).map(([name, value]) => [name, Number(value)]);
  const answers = [];
  const possible = [];
  for (const line of data.choice.order) {
    const found = limits.map(([name, limit]) => verdict(line, name, limit));
    if (found.every((each) => each === "met")) answers.push(line);
    else if (found.every((each) => each === "met" || each === "unsure")) possible.push(line);
  }
  const alike = answers.length ? data.choice.alike[data.choice.kind[answers[0]]] : [];
  const ties = answers.slice(1).filter((line) => alike.includes(data.choice.kind[line]));
  return { answers, possible, ties, limited: limits.length > 0 };
}

function remains(found) {
  const models = (lines) => new Set(lines.map(nameOf)).size;
  const some = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
  const aside = data.choice.aside.length;
  const more = aside ? ` Set aside, slower on several threads than on one: ${aside}.` : "";
  if (!found.limited) return `No limit: ${some(found.answers.length, "way")} of ` +
    `${some(models(found.answers), "model")} to choose from.${more}`;
  const may = found.possible.length
    ? ` ${some(found.possible.length, "way")} may fit: the interval holds the limit.` : "";
  if (!found.answers.length) return `Nothing fits for certain.${may}${more}`;
  const first = found.answers[0];
  const ties = [...new Set(found.ties.map(nameOf))].filter((name) => name !== nameOf(first));
  const equal = ties.length ? `; not to be told apart from it: ${ties.join(", ")}` : "";
  const count = `${some(found.answers.length, "way")} of ${some(models(found.answers), "model")}`;
  return `Fit for certain: ${count}. Best: ${labelOf(first)}${equal}.${may}${more}`;
}

function rawOf(line, key) {
  if (key in place) return (data.lines[line].v[place[key]] || [null])[0];
  const cell = rows[line].cells[keys.indexOf(key)];
  const text = key === "model" ? nameOf(line) : cell.textContent;
  if (text === "") return null;
  return key === "threads" || key === "size" ? Number(text) : text;
}

function sorted() {
  const lines = rows.map((_, line) => line);
  if (!keys.includes(state.sort)) return lines;
  const raw = lines.map((line) => rawOf(line, state.sort));
  const known = lines.filter((line) => raw[line] !== null);
  known.sort((one, other) => (typeof raw[one] === "number" ? raw[one] - raw[other]
    : raw[one].localeCompare(raw[other], "en", { numeric: true })) || one - other);
  if (state.down) known.reverse();
  return [...known, ...lines.filter((line) => raw[line] === null)];
}

const visible = (line) => words[line].includes(state.text.toLowerCase()) &&
  FILTERS.every((kind) => !state[kind] || kinds[kind](data.lines[line]) === state[kind]);

const AT_ONCE = 40; // rows in one frame: a thousand take a quarter of a second
let order = null, inOrder = [], laidOut = null, toCome = [], hiddenColumns = null;
function layOut(most = AT_ONCE) { // the first rows at once, the others frame after frame
  body.append(...toCome.splice(0, most).map((line) => rows[line]));
  if (toCome.length) requestAnimationFrame(() => layOut());
}

function showTable(found) {
  const wanted = `${state.sort} ${state.down}`;
  if (wanted !== order) [order, inOrder] = [wanted, sorted()];
  const [fits, may] = [new Set(found.answers), new Set(found.possible)];
  const open = inOrder.filter(visible), count = open.length;
  for (const line of open) {
    const row = rows[line];
    row.classList.toggle("unfit", found.limited && !fits.has(line) && !may.has(line));
    row.classList.toggle("perhaps", found.limited && may.has(line));
    const pinned = row.classList.toggle("pinned", state.pins.includes(nameOf(line)));
    row.cells[0].firstElementChild.setAttribute("aria-pressed", pinned);
  }
  if (open.join() !== laidOut) {
    laidOut = open.join();
    body.replaceChildren();
    toCome = [...open];
    layOut();
  }
  heads.forEach((head, index) => {
    const key = keys[index];
    if (key === state.sort) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
    head.querySelector("span").textContent = key !== state.sort ? "" : state.down ? " ▼" : " ▲";
  });
  const by = keys.includes(state.sort) ? `, sorted by ${titles[keys.indexOf(state.sort)]}, ` +
    `${state.down ? "descending" : "ascending"}` : "";
  at("shown").textContent = `${count} of ${rows.length} rows${by}`;
}

const sheet = document.head.appendChild(make("style"));
function showColumns() {
  const closed = keys.flatMap((key, index) => (key in place && !state.columns.includes(key)
    ? `#table tr > :nth-child(${index + 1})` : [])).join(",");
  if (closed === hiddenColumns) return;
  sheet.textContent = closed ? `${closed} { display: none; }` : "";
  hiddenColumns = closed;
  // widths are fixed once they are known: else every sorting asks all cells again
  at("table").style.tableLayout = "auto";
  heads.forEach((head) => head.style.removeProperty("width"));
  const widths = heads.map((head) => head.offsetWidth);
  heads.forEach((head, index) => { head.style.width = `${widths[index]}px`; });
  const width = `${widths.reduce((one, other) => one + other)}px`;
  Object.assign(at("table").style, { tableLayout: "fixed", width });
}

function csv() {
  const formula = (text) => /^\s*[=+\-@]/.test(text) && Number.isNaN(Number(text));
  const neutral = (text) => (formula(text) ? `'${text}` : text);
  const quoted = (cell) => `"${neutral(String(cell === null ? "" : cell)).replaceAll('"', '""')}"`;
  const open = keys.filter((key) => !(key in place) || state.columns.includes(key));
  const head = open.map((key) => titles[keys.indexOf(key)]);
  const table = inOrder.filter(visible).map((line) => open.map((key) => rawOf(line, key)));
  return [head, ...table].map((cells) => cells.map(quoted).join(",")).join("\n");
}

const WIDE = 900, HIGH = 520, LEFT = 70, RIGHT = 30, TOP = 20, BOTTOM = 60;
const axes = {};
data.figures.forEach((figure, index) => {
  const { key, title, better } = figure;
  const add = (name, more, way) => {
    axes[name] = { name, index, title: title + more, better, way };
  };
  if (!figure.way) add(key, "", null);
  else data.ways.forEach((way, w) => {
    const known = data.lines.some((line) => line.w === w && line.v[index]);
    if (known) add(`${key}@${way}`, `: ${way}`, w);
  });
});
const draw = (name, attributes, text) => make(name, attributes, text, SVG);
const short = (value) => String(Number(value.toPrecision(4)));

// of each model the line that has the figure, if any
function linesAt(axis) {
  const found = {};
  data.lines.forEach((line, index) => {
    if (line.v[axis.index] && (axis.way === null || line.w === axis.way)) found[line.m] ??= index;
  });
  return found;
}

function scale(values, from, to, logarithmic) {
  const turn = logarithmic ? Math.log : (value) => value;
  const low = turn(Math.min(...values)), high = turn(Math.max(...values));
  const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
  const share = (value) => (turn(value) - low + room) / (high - low + 2 * room);
  const start = low - room, end = high + room;
  let ticks = [];
  if (logarithmic) {
    for (let power = -9; power < 15; power += 1) {
      for (const step of end - start < 3.5 ? [1, 2, 5] : [1]) ticks.push(step * 10 ** power);
    }
  } else {
    const rough = (end - start) / 6, unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * ([1, 2, 5, 10].find((each) => each * unit >= rough) || 10);
    for (let tick = Math.ceil(start / step) * step; tick <= end; tick += step) ticks.push(tick);
  }
  ticks = ticks.filter((tick) => turn(tick) >= start && turn(tick) <= end);
  return { at: (value) => from + (to - from) * share(value), ticks };
}

function points(x, y) {
  const found = [], missing = [], known = [linesAt(x), linesAt(y)];
  const shown = new Set(data.lines.filter((_, line) => visible(line)).map((line) => line.m));
  data.models.forEach((model, m) => {
    const lines = known.map((each) => each[m]);
    const [across, up] = lines.map((line) => data.lines[line]);
    if (!shown.has(m)) return;
    if (!across || !up) missing.push(model.name);
    else found.push({ m, lines, x: across.v[x.index], y: up.v[y.index] });
  });
  return { found, missing };
}

const say = (told) => { at("tip").textContent = told; };
const drawn = { wanted: "", groups: new Map() };
function showPicture(choice) {
  const x = axes[state.x] || axes[at("x").value], y = axes[state.y] || axes[at("y").value];
  if (!x || !y) return;
  const { log, text, pins } = state;
  const wanted = [x.name, y.name, log, text, pins, FILTERS.map((key) => state[key])].join("\n");
  if (drawn.wanted !== wanted) drawAll(x, y);
  drawn.wanted = wanted;
  const good = new Set([...choice.answers, ...choice.possible]);
  const fitting = new Set([...good].map((line) => data.lines[line].m));
  const way = [x, y].findIndex((axis) => axis.way !== null);
  drawn.groups.forEach((group, { m, lines }) => group.classList.toggle("unfit",
    choice.limited && !(way < 0 ? fitting.has(m) : good.has(lines[way]))));
}

function drawAll(x, y) {
  drawn.groups.clear();
  const { found, missing } = points(x, y);
  const picture = draw("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "group" });
  picture.setAttribute("aria-label", `${y.title} over ${x.title}, ${found.length} models`);
  at("picture").replaceChildren(picture);
  const { length } = missing;
  const note = length ? ` ${length} not drawn, without a figure: ${missing.join(", ")}.` : "";
  if (!found.length) {
    at("front").textContent = `Nothing to draw.${note}`;
    return;
  }
  const ends = (axis) => found.flatMap((point) => point[axis]);
  const several = new Set(ends("x")).size > 1 && Math.min(...ends("x")) > 0;
  const logarithmic = state.log === "1" && several;
  const across = scale(ends("x"), LEFT, WIDE - RIGHT, logarithmic);
  const up = scale(ends("y"), HIGH - BOTTOM, TOP, false);
  for (const tick of across.ticks) {
    const left = across.at(tick);
    picture.append(draw("line", { class: "axis", x1: left, x2: left, y1: TOP, y2: HIGH - BOTTOM }));
    const below = { x: left, y: HIGH - BOTTOM + 18, "text-anchor": "middle" };
    picture.append(draw("text", below, short(tick)));
  }
  for (const tick of up.ticks) {
    const top = up.at(tick);
    picture.append(draw("line", { class: "axis", x1: LEFT, x2: WIDE - RIGHT, y1: top, y2: top }));
    picture.append(draw("text", { x: LEFT - 8, y: top + 4, "text-anchor": "end" }, short(tick)));
  }
  picture.append(draw("text", { x: (LEFT + WIDE) / 2, y: HIGH - 12, "text-anchor": "middle" },
    `${x.title}${logarithmic ? " (logarithmic)" : ""}`));
  picture.append(draw("text", { transform: `translate(16,${HIGH / 2}) rotate(-90)`,
    "text-anchor": "middle" }, y.title));
  found.forEach((point) => {
    point.left = across.at(point.x[0]);
    point.top = up.at(point.y[0]);
  });
  const front = data.fronts[`${x.name}|${y.name}`];
  const pointOf = (m) => found.find((point) => point.m === m) || [];
  const steps = front ? front[0].flatMap(pointOf) : [];
  picture.append(draw("path", { class: "front", d: steps.map(({ left, top }, index) =>
    (index ? `H${left}V${top}` : `M${left},${top}`)).join("") }));
  drawPoints(picture, found, front, [x, y], [across, up]);
  at("front").textContent = `${frontInWords(front)}${note} The axis up need not start at 0.`;
}

function frontInWords(front) {
  if (!front) return "A front is drawn where less of one axis and more of the other is better.";
  const list = (models) => models.map((m) => data.models[m].name).join(", ") || "none";
  return `Surely on the Pareto front of all models with both figures (rings): ${list(front[1])}. ` +
    `Perhaps (dashed rings): ${list(front[2])}. The line joins those on it by their figures alone.`;
}

function drawPoints(picture, found, front, [x, y], [across, up]) {
  for (const { x: wide, y: high, left, top } of found) {
    if (wide.length > 2) picture.append(draw("line", { class: "whisker", y1: top, y2: top,
      x1: across.at(wide[1]), x2: across.at(wide[2]) }));
    if (high.length > 2) picture.append(draw("line", { class: "whisker", x1: left, x2: left,
      y1: up.at(high[1]), y2: up.at(high[2]) }));
  }
  const boxes = found.map(({ left, top }) => [left - 7, top - 7, left + 7, top + 7]);
  const ringed = (m) => front && (front[1].includes(m) || front[2].includes(m));
  const first = ({ m }) => (state.pins.includes(data.models[m].name) || ringed(m) ? 0 : 1);
  for (const point of [...found].sort((one, other) => first(one) - first(other))) {
    const { left, top } = point;
    const near = found.filter((other) => Math.hypot(other.left - left, other.top - top) < 9);
    const told = near.map((other) => describe(other, x, y)).join("\n");
    const name = data.models[point.m].name;
    const [color, path] = data.looks[data.models[point.m].family] || data.looks[""];
    const group = draw("g", { class: "point", tabindex: 0, role: "button", "aria-label": told,
      transform: `translate(${left},${top})` });
    drawn.groups.set(point, group);
    group.append(draw("path", { d: path, fill: color }));
    if (ringed(point.m)) {
      const sure = front[1].includes(point.m);
      group.append(draw("circle", { r: 11, class: sure ? "sure" : "possible" }));
    }
    for (const event of ["pointerenter", "focus", "click"]) {
      group.addEventListener(event, () => say(told));
    }
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        change({ open: name });
      }
    });
    picture.append(group);
    const wide = 7 * name.length, half = wide / 2;
    const around = [[14, 0], [-14 - wide, 0], [-half, -18], [-half, 18]];
    const free = around.find(([right, down]) => {
      const box = [left + right, top + down - 7, left + right + wide, top + down + 7];
      const clear = ([from, above, to, below]) =>
        box[0] > to || box[2] < from || box[1] > below || box[3] < above;
      return boxes.every(clear) && box[0] > LEFT && box[2] < WIDE && boxes.push(box);
    });
    if (!free) continue;
    const label = { x: left + free[0], y: top + free[1] + 4, "aria-hidden": true };
    picture.append(draw("text", label, name));
  }
}

function describe(point, x, y) {
  const told = ([value, low, high]) => short(value) +
    (low === undefined ? "" : ` (${short(low)} to ${short(high)})`);
  return `${data.models[point.m].name}: ${x.title} ${told(point.x)}; ${y.title} ${told(point.y)}`;
}

function showModels() {
  const opened = data.models.find((model) => model.name === state.open);
  if (opened && at(opened.id) && !at(opened.id).open) {
    at(opened.id).open = true;
    at(opened.id).scrollIntoView();
  }
  at("no-pins").hidden = state.pins.length > 1;
  const wanted = state.pins.slice(-2);
  if (at("pair").dataset.shown === wanted.join("\n")) return;
  at("pair").dataset.shown = wanted.join("\n");
  at("pair").replaceChildren(...wanted.map((name) => {
    const side = make("section", { "aria-label": name });
    const { id } = data.models.find((model) => model.name === name);
    side.append(make("h3", {}, name));
    if (at(id)) side.append(...[...at(id).cloneNode(true).children].slice(1));
    return side;
  }));
}

function pickers() {
  const option = (value, text) => make("option", { value }, text);
  for (const kind of FILTERS) {
    const found = [...new Set(data.lines.map(kinds[kind]))].filter(Boolean);
    if (found.length < 2) continue;
    const label = make("label", {}, `${titles[keys.indexOf(kind)]} `);
    const select = make("select", { id: kind });
    select.append(option("", "all"), ...found.map((each) => option(each, each)));
    select.addEventListener("change", () => change({ [kind]: select.value }));
    label.append(select);
    at("filters").append(label);
  }
  for (const side of ["x", "y"]) {
    at(side).append(...Object.keys(axes).map((key) => option(key, axes[key].title)));
    at(side).value = data.start[side];
    at(side).addEventListener("change", () => change({ [side]: at(side).value }));
  }
  at("columns").addEventListener("change", () => change({ columns:
    [...at("columns").querySelectorAll(":checked")].map((box) => box.dataset.column) }));
}

function sliders() {
  for (const [name, limit] of Object.entries(data.choice.limits)) {
    const words_ = `${limit.most ? "At most" : "At least"} ${limit.title}`;
    const line = make("div", { class: "limit" });
    const slider = make("input", { type: "range", id: `${name}-slider`, min: limit.low,
      max: limit.high, step: limit.step, "aria-label": `${words_}, ${limit.unit}` });
    const typed = make("input", { type: "number", id: name, step: "any", inputmode: "decimal" });
    slider.addEventListener("input", () => limitTo(name, slider.value));
    typed.addEventListener("input", () => limitTo(name, typed.value));
    line.append(make("label", { for: name }, words_), slider, typed, make("span", {}, limit.unit));
    at("limits").append(line);
  }
}

function limitTo(name, value) {
  const limits = { ...state.limits };
  if (value.trim() === "" || !Number.isFinite(Number(value))) delete limits[name];
  else limits[name] = value;
  change({ limits });
}

function fillIn() {
  for (const name of ["text", ...FILTERS, "x", "y"]) {
    const value = state[name] || data.start[name] || "";
    if (at(name) && at(name).value !== value) at(name).value = value;
  }
  at("log").checked = state.log === "1";
  for (const box of at("columns").querySelectorAll("input")) {
    box.checked = state.columns.includes(box.dataset.column);
  }
  for (const [name, limit] of Object.entries(data.choice.limits)) {
    const value = state.limits[name];
    if (at(name).value !== (value || "")) at(name).value = value || "";
    at(`${name}-slider`).value = value || (limit.most ? 1e300 : -1e300);
  }
}

function prepare() {
  heads.forEach((head, index) => {
    const button = make("button", { type: "button" }, titles[index]);
    button.append(make("span", { "aria-hidden": true }));
    button.addEventListener("click", () => change({ sort: keys[index],
      down: state.sort === keys[index] && !state.down ? "1" : "" }));
    head.replaceChildren(button);
  });
  rows.forEach((row, line) => {
    const pin = make("button", { type: "button", class: "pin", "aria-pressed": false,
      "aria-label": `Pin ${nameOf(line)}` }, "pin");
    pin.addEventListener("click", () => change({ pins: state.pins.includes(nameOf(line))
      ? state.pins.filter((name) => name !== nameOf(line)) : [...state.pins, nameOf(line)] }));
    row.cells[0].prepend(pin);
    row.cells[0].querySelector("a").addEventListener("click", (event) => {
      event.preventDefault();
      at(data.models[data.lines[line].m].id)?.removeAttribute("open");
      change({ open: nameOf(line) });
    });
  });
  pickers();
  sliders();
  at("text").addEventListener("input", () => change({ text: at("text").value }));
  at("log").addEventListener("change", () => change({ log: at("log").checked ? "1" : "0" }));
  at("reset").addEventListener("click", () => change(usual()));
  window.addEventListener("beforeprint", () => layOut(Infinity));
  at("copy").addEventListener("click", async () => {
    const file = new Blob([csv()]);
    const link = make("a", { download: "models.csv", href: URL.createObjectURL(file) });
    await navigator.clipboard?.writeText(csv()).catch(() => link.click());
    at("shown").textContent = "Copied.";
  });
  document.addEventListener("keydown", ({ key }) => key === "Escape" && say(""));
  for (const part of document.querySelectorAll(".needs-script")) part.hidden = false;
}

function show() {
  const choice = choose();
  fillIn();
  at("remains").textContent = remains(choice);
  showColumns();
  showTable(choice);
  showPicture(choice);
  showModels();
}

const arrive = () => { readAddress(); show(); };
window.addEventListener("hashchange", arrive);
prepare();
arrive();
