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

test("a weight and a channel in an address are whole, or left out", async () => {
  const { likes, weight } = await load("rooms/inside/plays.js");
  for (const good of [[], ["conv1"], ["conv1", 3, 0, 2, 2], ["conv1", "bias", 3]]) assert.deepEqual(weight(good), good);
  for (const bad of [null, [3], ["conv1", "x"], ["conv1", 0, 0, 0, 0, 0], [null, 1]])
    assert.equal(weight(bad), undefined, JSON.stringify(bad));
  assert.deepEqual(likes([]), []);
  assert.deepEqual(likes(["conv2", 7, 1, 1]), ["conv2", 7]);
  for (const bad of [null, ["conv1"], ["conv1", "a"], [1, 2]]) assert.equal(likes(bad), undefined, JSON.stringify(bad));
});

test("a brush leaves its ink from place to place, in every channel, and nothing else", async () => {
  const { stamped } = await load("rooms/inside/play/stamp.js");
  const bytes = new Uint8Array(2 * 5 * 6).fill(9);
  const next = stamped(bytes, [2, 5, 6], [[1, 1], [1, 4]], { ink: [0, 200], side: 1 }); // prettier-ignore
  const at = (c, r, k) => next[(c * 5 + r) * 6 + k];
  for (let r = 0; r < 5; r += 1)
    for (let k = 0; k < 6; k += 1) {
      const under = r === 1 && k >= 1 && k <= 4;
      assert.deepEqual([at(0, r, k), at(1, r, k)], under ? [0, 200] : [9, 9], `${r}, ${k}`);
    }
  assert.ok(bytes.every((value) => value === 9)); // a copy
  const corner = stamped(new Uint8Array(25), [1, 5, 5], [[0, 0], [0, 0]], { ink: [7], side: 3 }); // prettier-ignore
  assert.deepEqual([corner[0], corner[1], corner[5], corner[24]], [7, 7, 7, 0]); // what lies outside is nowhere
});

test("points are fitted, found and walked", async () => {
  const { ahead, fitted, nearest } = await load("rooms/inside/play/points.js");
  const points = fitted([0, 0, 10, 0, 10, 5, 5, 5], 100, 60, 10);
  assert.deepEqual(points, [[10, 50], [90, 50], [90, 10], [50, 10]]); // prettier-ignore
  assert.equal(nearest(points, [85, 15], 24), 2);
  assert.equal(nearest(points, [50, 45], 24), null);
  assert.equal(ahead(points, points[0], [1, 0]), 3); // at 45 degrees, and nearer than the one straight on
  assert.equal(ahead(points, points[1], [0, -1]), 2);
  assert.equal(ahead(points, points[2], [1, 0]), null);
  assert.deepEqual(fitted([3, 3], 100, 60, 10), [[50, 30]]); // one point is in the middle
});
