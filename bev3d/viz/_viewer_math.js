// Arithmetic without a screen: unpacking, matrices, lines of boxes. Runs under node as well.

const LINE_FLOATS = 11; // from x y z, to x y z, r g b, dashed, width

function hexToRgb(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
}

function mixRgb(a, b, share) {
  return a.map((v, i) => v * (1 - share) + b[i] * share);
}

async function inflate(base64) {
  if (!base64) return new Uint8Array(0);
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Planes of bytes to interleaved vertices: x y z as uint16 and intensity, lag as bytes, 8 bytes a point.
function interleave(planes, count) {
  const bytes = new Uint8Array(count * 8);
  for (let plane = 0; plane < 8; plane++) {
    const from = plane * count;
    for (let i = 0; i < count; i++) bytes[i * 8 + plane] = planes[from + i];
  }
  return bytes;
}

function multiply(a, b) { // column-major 4 x 4
  const out = new Float32Array(16);
  for (let c = 0; c < 4; c++) for (let r = 0; r < 4; r++) {
    let sum = 0;
    for (let k = 0; k < 4; k++) sum += a[k * 4 + r] * b[c * 4 + k];
    out[c * 4 + r] = sum;
  }
  return out;
}

function perspective(fovY, aspect, near, far) {
  const f = 1 / Math.tan(fovY / 2), d = near - far;
  return new Float32Array([f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / d, -1, 0, 0, (2 * far * near) / d, 0]);
}

// A camera that circles a target: yaw is the direction it looks in, pitch how steeply down.
function cameraAxes(camera) {
  const { yaw, pitch } = camera, cp = Math.cos(pitch), sp = Math.sin(pitch), cy = Math.cos(yaw), sy = Math.sin(yaw);
  return { ahead: [cp * cy, cp * sy, -sp], right: [sy, -cy, 0], up: [sp * cy, sp * sy, cp] };
}

function viewMatrix(camera) {
  const { ahead, right, up } = cameraAxes(camera);
  const eye = camera.target.map((v, i) => v - camera.distance * ahead[i]);
  const dot = (a) => a[0] * eye[0] + a[1] * eye[1] + a[2] * eye[2];
  return new Float32Array([right[0], up[0], -ahead[0], 0, right[1], up[1], -ahead[1], 0, right[2], up[2], -ahead[2], 0,
    -dot(right), -dot(up), dot(ahead), 1]);
}

function project(matrix, p, width, height) {
  const row = (i) => matrix[i] * p[0] + matrix[4 + i] * p[1] + matrix[8 + i] * p[2] + matrix[12 + i];
  const w = row(3);
  if (w <= 0.01) return null;
  return [(row(0) / w * 0.5 + 0.5) * width, (0.5 - row(1) / w * 0.5) * height];
}

function boxCorners(box) {
  const [x, y, z, length, width, height, yaw] = box, c = Math.cos(yaw), s = Math.sin(yaw);
  const corners = [];
  for (const top of [-0.5, 0.5]) for (const [a, b] of [[0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]]) {
    corners.push([x + a * length * c - b * width * s, y + a * length * s + b * width * c, z + top * height]);
  }
  return corners;
}

const BOX_EDGES = [[0, 1], [1, 2], [2, 3], [3, 0], [4, 5], [5, 6], [6, 7], [7, 4], [0, 4], [1, 5], [2, 6], [3, 7]];

// Appends the edges of a box, its heading and, where it is known, the way of the next second.
function pushBox(lines, row, rgb, dashed, width) {
  const corners = boxCorners(row.box);
  for (const [i, j] of BOX_EDGES) lines.push(...corners[i], ...corners[j], ...rgb, dashed, width);
  const [x, y, z, length, , height, yaw] = row.box, c = Math.cos(yaw), s = Math.sin(yaw);
  const reach = length / 2 + Math.min(0.9, Math.max(0.3, 0.25 * length)), roof = z + height / 2;
  lines.push(x, y, roof, x + reach * c, y + reach * s, roof, ...rgb, 0, width);
  const v = row.velocity;
  if (v && !dashed && Math.hypot(v[0], v[1]) > 0.3) {
    const floor = z - height / 2 + 0.05;
    lines.push(x, y, floor, x + v[0], y + v[1], floor, ...rgb, 1, width * 0.8);
  }
}

function pushRings(lines, ground, rgb, reach) {
  for (let radius = 20; radius <= reach; radius += 20) {
    let last = [radius, 0];
    for (let i = 1; i <= 96; i++) {
      const a = (i / 96) * 2 * Math.PI, next = [radius * Math.cos(a), radius * Math.sin(a)];
      lines.push(...last, ground, ...next, ground, ...rgb, 0, 1);
      last = next;
    }
  }
  for (const [dx, dy] of [[1, 0], [0, 1]]) lines.push(-dx, -dy, ground, dx, dy, ground, ...rgb, 0, 2);
}
