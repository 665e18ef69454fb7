// The page: state, controls, camera. `look` is what is shown; every change asks for one new frame.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const canvas = $("view");
const look = { frame: 0, points: true, truth: true, found: true, heat: true, colour: "height", size: 2, score: data.score, hidden: new Set() };
const camera = { target: [0, 0, 0], yaw: 0, pitch: 0.5, distance: 40 };
let painter, matrix, asked = false, player = null;

const frame = () => data.frames[look.frame];

async function prepare(one) { // inflate a frame once, when it is first shown
  if (one.array) return;
  const planes = await inflate(one.points.data), heat = one.heat && await inflate(one.heat.data);
  painter.upload(one, interleave(planes, one.points.count), heat);
  one.points.data = null;
  if (one.heat) one.heat.data = null;
}

async function showFrame(index) {
  look.frame = Math.max(0, Math.min(data.frames.length - 1, index));
  const one = frame();
  await prepare(one);
  if (one !== frame()) return;
  $("frame").value = look.frame;
  rebuild();
}

function visibleBoxes() {
  const one = frame(), shown = [];
  const wanted = (row) => !look.hidden.has(row.name);
  if (look.truth) for (const row of one.truth) if (wanted(row)) shown.push({ row, truth: true });
  if (look.found) for (const row of one.found) if (wanted(row) && row.score >= look.score) shown.push({ row, truth: false });
  return shown;
}

function rebuild() {
  const one = frame(), lines = [], contrast = hexToRgb(data.contrast);
  pushRings(lines, one.ground, hexToRgb(data.grid), 100);
  for (const { row, truth } of visibleBoxes()) {
    const rgb = hexToRgb(data.colours[row.name] || data.colours.other);
    pushBox(lines, row, truth ? rgb : mixRgb(rgb, contrast, 0.5), truth ? 0 : 1, truth ? 1.8 : 1.9);
  }
  if (look.heat && one.heat) for (const [x0, y0, x1, y1] of one.heat.offsets) {
    lines.push(x0, y0, one.ground, x1, y1, one.ground, ...hexToRgb(data.offset), 0, 2.4);
  }
  painter.setLines(lines);
  describe();
  ask();
}

function describe() {
  const one = frame(), found = one.found.filter((row) => row.score >= look.score), parts = [];
  if (data.frames.length > 1) parts.push(`${look.frame + 1} / ${data.frames.length}  ${one.token}`);
  const { count, total } = one.points;
  parts.push(count < total ? `${count.toLocaleString("en")} of ${total.toLocaleString("en")} points` : `${count.toLocaleString("en")} points`);
  parts.push(`${one.truth.length} ground truth`);
  if (one.found.length) parts.push(`${found.length} detections`);
  $("summary").textContent = parts.join(" · ");
  $("classes").replaceChildren(...Object.keys(data.colours).map((name) => {
    const truths = one.truth.filter((row) => row.name === name).length, hits = found.filter((row) => row.name === name).length;
    if (!truths && !hits && !look.hidden.has(name)) return null;
    const item = document.createElement("li"), swatch = document.createElement("i"), label = document.createElement("span"), number = document.createElement("b");
    swatch.style.background = data.colours[name];
    label.textContent = name.replaceAll("_", " ");
    number.textContent = one.found.length ? `${truths} / ${hits}` : truths;
    number.title = "ground truth / detections";
    item.append(swatch, label, number);
    item.classList.toggle("off", look.hidden.has(name));
    item.onclick = () => { if (!look.hidden.delete(name)) look.hidden.add(name); rebuild(); };
    return item;
  }).filter(Boolean));
}

function ask() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(paint);
}

function paint() {
  asked = false;
  const ratio = window.devicePixelRatio || 1, width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  matrix = multiply(perspective(0.75, width / Math.max(height, 1), 0.3, 3000), viewMatrix(camera));
  if (frame().array) painter.draw(frame(), matrix, look);
}

function aim(view) {
  const one = frame(), ahead = [Math.cos(one.forward), Math.sin(one.forward)];
  const at = (reach) => [ahead[0] * reach, ahead[1] * reach, one.ground];
  if (view === "top") Object.assign(camera, { target: at(0), yaw: Math.PI / 2, pitch: Math.PI / 2 - 1e-3, distance: 125 });
  else if (view === "oblique") Object.assign(camera, { target: at(4), yaw: one.forward + 0.5, pitch: 0.62, distance: 88 });
  else Object.assign(camera, { target: at(12), yaw: one.forward, pitch: 0.34, distance: 31 });
  ask();
}

function turn(dx, dy) {
  camera.yaw -= dx * 0.006;
  camera.pitch = Math.max(-0.2, Math.min(Math.PI / 2 - 1e-3, camera.pitch + dy * 0.006));
}

function move(dx, dy) { // along the ground, so that the point under the pointer follows it
  const scale = camera.distance * 0.787 / canvas.clientHeight, { right } = cameraAxes(camera), ahead = [Math.cos(camera.yaw), Math.sin(camera.yaw)];
  for (let i = 0; i < 2; i++) camera.target[i] += (-dx * right[i] + dy * ahead[i]) * scale;
}

function zoom(factor) {
  camera.distance = Math.max(2, Math.min(600, camera.distance * factor));
}

function listenPointer() {
  const held = new Map();
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("dragging");
    held.set(event.pointerId, [event.clientX, event.clientY]);
    $("tip").hidden = true;
  });
  const release = (event) => { held.delete(event.pointerId); if (!held.size) canvas.classList.remove("dragging"); };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointermove", (event) => {
    const last = held.get(event.pointerId);
    if (!last) return hover(event);
    const dx = event.clientX - last[0], dy = event.clientY - last[1];
    if (held.size === 2) {
      const other = [...held].find(([id]) => id !== event.pointerId)[1], gap = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
      zoom(Math.max(gap(last), 1) / Math.max(gap([event.clientX, event.clientY]), 1));
      move(dx / 2, dy / 2);
    } else if (event.buttons & 6 || event.shiftKey) move(dx, dy);
    else turn(dx, dy);
    held.set(event.pointerId, [event.clientX, event.clientY]);
    ask();
  });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(event.deltaY * 0.0012)); ask(); }, { passive: false });
}

function hover(event) {
  let best = null, least = 22;
  for (const shown of visibleBoxes()) {
    const at = matrix && project(matrix, shown.row.box, canvas.clientWidth, canvas.clientHeight);
    const gap = at ? Math.hypot(at[0] - event.clientX, at[1] - event.clientY) : Infinity;
    if (gap < least) { least = gap; best = shown; }
  }
  const tip = $("tip");
  tip.hidden = !best;
  if (!best) return;
  const { row, truth } = best, [x, y, , length, width, height, yaw] = row.box, lines = [];
  lines.push(`${row.name.replaceAll("_", " ")} · ${truth ? "ground truth" : `detection ${row.score.toFixed(2)}`}`);
  lines.push(`${length.toFixed(2)} × ${width.toFixed(2)} × ${height.toFixed(2)} m, yaw ${(yaw * 180 / Math.PI).toFixed(0)}°`);
  lines.push(`${Math.hypot(x, y).toFixed(1)} m away${row.velocity ? `, ${Math.hypot(...row.velocity).toFixed(1)} m/s` : ""}`);
  if (row.points !== undefined) lines.push(`${row.points} points`);
  tip.textContent = lines.join("\n");
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 6)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 6)}px`;
}

function play() {
  $("play").textContent = player ? "▶" : "❚❚";
  if (player) { clearInterval(player); player = null; return; }
  player = setInterval(() => showFrame((look.frame + 1) % data.frames.length), 500);
}

function listenControls() {
  for (const name of ["points", "truth", "found", "heat"]) $(`show-${name}`).onchange = (event) => { look[name] = event.target.checked; rebuild(); };
  $("colour").onchange = (event) => { look.colour = event.target.value; ask(); };
  $("size").oninput = (event) => { look.size = Number(event.target.value); ask(); };
  $("score").oninput = (event) => { look.score = Number(event.target.value); $("score-value").textContent = look.score.toFixed(2); rebuild(); };
  $("frame").oninput = (event) => showFrame(Number(event.target.value));
  $("previous").onclick = () => showFrame(look.frame - 1);
  $("next").onclick = () => showFrame(look.frame + 1);
  $("play").onclick = play;
  $("fold").onclick = () => $("panel").classList.toggle("folded");
  for (const button of document.querySelectorAll("[data-view]")) button.onclick = () => aim(button.dataset.view);
  const keys = { 1: () => aim("chase"), 2: () => aim("oblique"), 3: () => aim("top"), h: $("fold").onclick, ArrowLeft: $("previous").onclick,
    ArrowRight: $("next").onclick, " ": () => data.frames.length > 1 && play() };
  addEventListener("keydown", (event) => { if (event.target === document.body || event.target === canvas) keys[event.key]?.(); });
  addEventListener("resize", ask);
}

async function start() {
  const wish = new URLSearchParams(location.hash.slice(1)); // such as #view=top&colour=intensity&frame=2&score=0.5
  painter = new Painter(canvas, data);
  const has = (key) => data.frames.some((one) => (key === "heat" ? one.heat : one[key].length));
  for (const key of ["truth", "found", "heat"]) if (!has(key)) { $(`show-${key}`).disabled = true; $(`show-${key}`).parentElement.classList.add("off"); }
  $("score-row").hidden = !has("found");
  $("colour").querySelector("[value=time]").disabled = data.frames.every((one) => one.points.longest_lag === 0);
  $("frames").hidden = data.frames.length < 2;
  $("frame").max = data.frames.length - 1;
  look.score = Number(wish.get("score") ?? data.score);
  look.colour = wish.get("colour") ?? "height";
  $("colour").value = look.colour;
  $("score").value = look.score;
  $("score-value").textContent = look.score.toFixed(2);
  listenPointer();
  listenControls();
  await showFrame(Number(wish.get("frame") ?? 0));
  aim(wish.get("view") ?? "chase");
  document.documentElement.dataset.ready = "yes";
}

start().catch((error) => { $("error").hidden = false; $("error").textContent = error.message; });
