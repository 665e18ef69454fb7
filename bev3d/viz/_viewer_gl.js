// WebGL2: three programs (points, thick lines, heatmap on the ground) and one draw call for each.

const POINTS_VERTEX = `#version 300 es
uniform mat4 matrix; uniform vec3 origin, pitch; uniform float ground, size, height; uniform int colouring; uniform vec3 ramp[6];
layout(location=0) in vec3 grid; layout(location=1) in vec2 extra;
out vec3 colour;
vec3 along(float v) { float at = clamp(v, 0.0, 1.0) * 5.0; int low = min(int(at), 4); return mix(ramp[low], ramp[low + 1], at - float(low)); }
void main() {
  vec3 p = origin + grid * pitch;
  gl_Position = matrix * vec4(p, 1.0);
  gl_PointSize = clamp(size * (0.55 + 22.0 / max(gl_Position.w, 1.0)), 1.0, 4.0 * size) * height / 900.0;
  float v = colouring == 0 ? (p.z - ground + 0.3) / 4.0 : colouring == 1 ? sqrt(extra.x) * 0.85 + 0.15 : 0.85 - 0.7 * extra.y;
  colour = along(v);
}`;
const POINTS_FRAGMENT = `#version 300 es
precision mediump float; in vec3 colour; out vec4 pixel;
void main() { vec2 d = gl_PointCoord - 0.5; if (dot(d, d) > 0.25) discard; pixel = vec4(colour, 1.0); }`;

const LINES_VERTEX = `#version 300 es
uniform mat4 matrix; uniform vec2 viewport; uniform float scale;
layout(location=0) in vec3 from; layout(location=1) in vec3 to; layout(location=2) in vec3 rgb; layout(location=3) in vec2 style;
out vec3 colour; out float along; flat out float dashed;
void main() {
  vec4 a = matrix * vec4(from, 1.0), b = matrix * vec4(to, 1.0);
  const float near = 0.2;
  float end = float(gl_VertexID & 1), side = float(gl_VertexID >> 1) * 2.0 - 1.0;
  if (a.w < near && b.w < near) { gl_Position = vec4(2.0, 2.0, 2.0, 1.0); return; }
  float sa = 0.0, sb = 1.0;
  if (a.w < near) { sa = (near - a.w) / (b.w - a.w); } else if (b.w < near) { sb = (near - a.w) / (b.w - a.w); }
  vec4 p = mix(a, b, sa), q = mix(a, b, sb);
  vec2 way = (q.xy / q.w - p.xy / p.w) * viewport;
  vec2 unit = length(way) > 1e-4 ? normalize(way) : vec2(1.0, 0.0);
  vec4 at = mix(p, q, end);
  vec2 shift = (vec2(-unit.y, unit.x) * side + unit * (end * 2.0 - 1.0) * 0.5) * style.y * scale;
  gl_Position = vec4(at.xy + shift / viewport * at.w, at.z - 2e-4 * at.w, at.w);
  colour = rgb; dashed = style.x; along = mix(sa, sb, end) * distance(from, to);
}`;
const LINES_FRAGMENT = `#version 300 es
precision mediump float; in vec3 colour; in float along; flat in float dashed; out vec4 pixel;
void main() { if (dashed > 0.5 && fract(along / 0.8) > 0.55) discard; pixel = vec4(colour, 1.0); }`;

const HEAT_VERTEX = `#version 300 es
uniform mat4 matrix; uniform vec4 extent; uniform float ground; out vec2 at;
void main() {
  at = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1));
  gl_Position = matrix * vec4(mix(extent.xy, extent.zw, at), ground, 1.0);
}`;
const HEAT_FRAGMENT = `#version 300 es
precision mediump float; uniform sampler2D map; uniform vec3 ramp[6]; in vec2 at; out vec4 pixel;
void main() {
  float v = texture(map, at).r; if (v < 0.03) discard;
  float s = v * 5.0; int low = min(int(s), 4);
  pixel = vec4(mix(ramp[low], ramp[low + 1], s - float(low)), min(1.0, 0.25 + 1.5 * v));
}`;

function buildProgram(gl, vertex, fragment) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  const uniform = {};
  for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i++) {
    const name = gl.getActiveUniform(program, i).name;
    uniform[name.replace("[0]", "")] = gl.getUniformLocation(program, name);
  }
  return { program, uniform };
}

function spread(ramp) { // any ramp to the six stops of the shaders
  const stops = ramp.map(hexToRgb);
  return new Float32Array([0, 1, 2, 3, 4, 5].flatMap((i) => {
    const at = (i / 5) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
    return mixRgb(stops[low], stops[low + 1], at - low);
  }));
}

class Painter {
  constructor(canvas, data) {
    const gl = canvas.getContext("webgl2", { antialias: true, preserveDrawingBuffer: true });
    if (!gl) throw new Error("This page needs WebGL2, which this browser does not offer.");
    this.gl = gl;
    this.canvas = canvas;
    this.background = hexToRgb(data.ground);
    this.ramps = { height: spread(data.ramps.height), heat: spread(data.ramps.heat.slice(1)), fire: spread(data.ramps.heat) };
    this.points = buildProgram(gl, POINTS_VERTEX, POINTS_FRAGMENT);
    this.lines = buildProgram(gl, LINES_VERTEX, LINES_FRAGMENT);
    this.heat = buildProgram(gl, HEAT_VERTEX, HEAT_FRAGMENT);
    this.lineBuffer = gl.createBuffer();
    this.lineArray = gl.createVertexArray();
    gl.bindVertexArray(this.lineArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.lineBuffer);
    [[3, 0], [3, 12], [3, 24], [2, 36]].forEach(([size, offset], i) => {
      gl.enableVertexAttribArray(i);
      gl.vertexAttribPointer(i, size, gl.FLOAT, false, LINE_FLOATS * 4, offset);
      gl.vertexAttribDivisor(i, 1);
    });
    this.empty = gl.createVertexArray();
    this.lineCount = 0;
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
  }

  upload(frame, vertices, heat) { // a frame's own buffers
    const gl = this.gl, array = gl.createVertexArray();
    gl.bindVertexArray(array);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, vertices, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 3, gl.UNSIGNED_SHORT, false, 8, 0);
    gl.enableVertexAttribArray(1);
    gl.vertexAttribPointer(1, 2, gl.UNSIGNED_BYTE, true, 8, 6);
    frame.array = array;
    if (!frame.heat) return;
    frame.texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, frame.texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, frame.heat.columns, frame.heat.rows, 0, gl.RED, gl.UNSIGNED_BYTE, heat);
    for (const [key, value] of [[gl.TEXTURE_MIN_FILTER, gl.NEAREST], [gl.TEXTURE_MAG_FILTER, gl.NEAREST],
      [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]]) gl.texParameteri(gl.TEXTURE_2D, key, value);
  }

  setLines(lines) {
    this.lineCount = lines.length / LINE_FLOATS;
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.lineBuffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, new Float32Array(lines), this.gl.DYNAMIC_DRAW);
  }

  draw(frame, matrix, look) {
    const gl = this.gl, { width, height } = this.canvas;
    gl.viewport(0, 0, width, height);
    gl.clearColor(...this.background, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (look.heat && frame.texture) this.drawHeat(frame, matrix);
    if (look.points && frame.points.count) this.drawPoints(frame, matrix, look, height);
    const { program, uniform } = this.lines;
    gl.useProgram(program);
    gl.uniformMatrix4fv(uniform.matrix, false, matrix);
    gl.uniform2f(uniform.viewport, width, height);
    gl.uniform1f(uniform.scale, window.devicePixelRatio || 1);
    gl.bindVertexArray(this.lineArray);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.lineCount);
  }

  drawPoints(frame, matrix, look, height) {
    const gl = this.gl, { program, uniform } = this.points;
    gl.useProgram(program);
    gl.uniformMatrix4fv(uniform.matrix, false, matrix);
    gl.uniform3fv(uniform.origin, frame.points.origin);
    gl.uniform3fv(uniform.pitch, frame.points.step);
    gl.uniform1f(uniform.ground, frame.ground);
    gl.uniform1f(uniform.size, look.size);
    gl.uniform1f(uniform.height, height);
    gl.uniform1i(uniform.colouring, ["height", "intensity", "time"].indexOf(look.colour));
    gl.uniform3fv(uniform.ramp, look.colour === "height" ? this.ramps.height : this.ramps.heat);
    gl.bindVertexArray(frame.array);
    gl.drawArrays(gl.POINTS, 0, frame.points.count);
  }

  drawHeat(frame, matrix) {
    const gl = this.gl, { program, uniform } = this.heat;
    gl.useProgram(program);
    gl.enable(gl.BLEND);
    gl.bindTexture(gl.TEXTURE_2D, frame.texture);
    gl.uniformMatrix4fv(uniform.matrix, false, matrix);
    gl.uniform4fv(uniform.extent, frame.heat.extent);
    gl.uniform1f(uniform.ground, frame.ground - 0.25);
    gl.uniform3fv(uniform.ramp, this.ramps.fire);
    gl.bindVertexArray(this.empty);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.disable(gl.BLEND);
  }
}
