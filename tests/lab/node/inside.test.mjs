// Room 8's modules that know no DOM.
import assert from "node:assert/strict";
import { test } from "node:test";

const JS = new URL("../../../convscope/lab/static/js/", import.meta.url);
const load = (name) => import(new URL(name, JS));

test("a drawing goes to the address and back", async () => {
  const { SIDE, extend, read, write } = await load("parts/ink.js");
  const strokes = [
    [
      [0, 0],
      [SIDE - 1, 3],
    ],
    [[35, 36]],
  ];
  assert.deepEqual(read(write(strokes)), strokes);
  assert.deepEqual(read(""), []);
  for (const bad of ["0", "zzzz", "00000.", ".", "0000..0000", "00-0", "3400"]) assert.deepEqual(read(bad), [], bad);
  assert.deepEqual(read("33"), []);
  let stroke = extend([], [-5, 500]);
  assert.deepEqual(stroke, [[0, SIDE - 1]]);
  stroke = extend(stroke, [1.4, SIDE - 2]);
  assert.equal(stroke.length, 1); // too near
  assert.equal(extend(stroke, [3, SIDE - 1]).length, 2);
});

test("numbers arrive as they were sent", async () => {
  const { picture, plane, unpack } = await load("core/binary.js");
  const head = JSON.stringify({
    a: 1,
    arrays: [
      { name: "x", shape: [3, 1, 2], offset: 0 },
      { name: "y", shape: [2], offset: 6 },
    ],
  });
  const text = new TextEncoder().encode(head + " ".repeat((4 - (head.length % 4)) % 4));
  const floats = new Float32Array([0, 51, 102, 153, 204, 255, 0.5, -1]);
  const bytes = new Uint8Array(4 + text.length + floats.byteLength);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  bytes.set(new Uint8Array(floats.buffer), 4 + text.length);
  const { head: found, arrays } = unpack(bytes.buffer);
  assert.deepEqual(found, { a: 1 });
  assert.deepEqual([...arrays.y.values], [0.5, -1]);
  assert.deepEqual([...plane(arrays.x, 1).values], [102, 153]);
  assert.equal(picture(arrays.x).rgb, true);
  assert.ok(Math.abs(picture(arrays.x).values[1] - 0.2) < 1e-6);
  assert.equal(picture({ shape: [1, 1, 6], values: floats.subarray(0, 6) }).high, 255);
});
