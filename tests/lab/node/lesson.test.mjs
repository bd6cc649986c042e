// What is made of a prediction, and of what the browser kept.
import assert from "node:assert/strict";
import { test } from "node:test";

const { filled, judge, progress } = await import(
  new URL("../../../convscope/lab/static/js/parts/lesson-judge.js", import.meta.url)
);

test("a number is right, near, or the slip that lies nearest", () => {
  const step = { kind: "number" };
  const found = { right: 36, slips: { doubled: 18, absolute: 6 } };
  assert.deepEqual(judge(step, found, 36), { right: true, near: true, slip: null, off: 0 });
  assert.deepEqual(judge(step, found, 18), { right: false, near: false, slip: "doubled", off: 18 });
  assert.deepEqual(judge(step, found, 40), { right: false, near: false, slip: null, off: -4 });
  const slider = { kind: "slider", close: 5 };
  assert.deepEqual(judge(slider, { right: 95.5, slips: { chance: 10 } }, 92), {
    right: false,
    near: true,
    slip: null,
    off: 3.5,
  });
  assert.equal(judge(slider, { right: 95.5, slips: { chance: 10 } }, 13).slip, "chance");
  assert.equal(judge(slider, { right: 12, slips: { chance: 10 } }, 11).slip, null); // near the answer is no mistake
});

test("a choice is right or a slip of its own name", () => {
  const step = { kind: "choice" };
  assert.deepEqual(judge(step, { right: "mse" }, "mse"), { right: true, near: true, slip: null, off: null });
  assert.deepEqual(judge(step, { right: "mse" }, "l2"), { right: false, near: false, slip: "l2", off: null });
});

test("a place is right, near, or the mistake that lies nearest", () => {
  const step = { kind: "place", close: 0.5 };
  const found = { right: [1, 0], slips: { lowest: [-1, 0], beside: [-1, 0.4] } };
  assert.deepEqual(judge(step, found, [1, 0]), { right: true, near: true, slip: null, off: 0 });
  assert.deepEqual(judge(step, found, [1.3, 0.4]), { right: false, near: true, slip: null, off: 0.5 });
  assert.deepEqual(judge(step, found, [-1, 0.1]).slip, "lowest");
  assert.deepEqual(judge(step, found, [-1, 0.3]).slip, "beside");
  assert.deepEqual(judge(step, found, [0, 3]).slip, null);
  assert.equal(judge({ kind: "place" }, { right: [3, 3], slips: { same: [5, 5] } }, [5, 5]).slip, "same");
  assert.equal(judge({ kind: "place" }, { right: [3, 3] }, [3, 2]).near, false);
});

test("words are filled in, and what has no value stays", () => {
  assert.equal(filled("{n} of {all}, {x}", { n: 9, all: 36 }), "9 of 36, {x}");
  assert.equal(filled("{low}", { low: -0.4 }), "−0.4");
});

test("what the browser kept is taken only as far as it is a lesson's", () => {
  const steps = [
    { key: "a", kind: "number" },
    { key: "b", kind: "choice" },
    { key: "d", kind: "place" },
  ];
  const none = { at: 0, said: {} };
  for (const text of [null, "", "{", "[]", "7", '{"at":-3,"said":[1]}', '{"at":"1","said":null}'])
    assert.deepEqual(progress(text, steps), none, text);
  const kept = { at: 9, said: { a: 3, b: "mse", c: 1, d: [2, 2] } };
  assert.deepEqual(progress(JSON.stringify(kept), steps), { at: 3, said: { a: 3, b: "mse", d: [2, 2] } });
  for (const said of [
    '{"a":null,"b":{}}',
    '{"a":"3","b":3,"d":3}',
    '{"d":[1]}',
    '{"d":[1,null]}',
    '{"a":[1,2],"d":"x"}',
  ])
    assert.deepEqual(progress(`{"at":1,"said":${said}}`, steps), { at: 1, said: {} }, said); // of another question
});
