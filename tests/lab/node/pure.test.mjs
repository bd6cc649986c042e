// The page's modules that know no DOM.
import assert from "node:assert/strict";
import { test } from "node:test";

const JS = new URL("../../../convscope/lab/static/js/", import.meta.url);
const load = (name) => import(new URL(name, JS));

test("state goes to the address and back", async () => {
  const { encode, decode, split } = await load("core/state.js");
  const defaults = { net: "note", image: [1, 28, 28], classes: 10, on: false, upstream: null };
  assert.equal(encode(defaults, defaults), "");
  const state = { net: "conv 1 3 | relu & 100 % ü", image: [3, 8, 9], classes: 2, on: true, upstream: [[1, -0.5]] };
  const [room, query] = split(`#/shapes?${encode(state, defaults)}`);
  assert.equal(room, "shapes");
  assert.deepEqual(decode(query, defaults), state);
  assert.deepEqual(decode("image=7&classes=[1]&on=maybe&net=&x=1&__proto__=1", defaults), { ...defaults, net: "" });
  assert.deepEqual(split("#/"), ["", ""]);
  assert.notEqual(decode("", defaults).image, defaults.image);
});

test("zero is the paper, signs have their own colours, and ink is readable on all of them", async () => {
  const { diverging, inkOn, contrast, limitOf } = await load("core/colour.js");
  for (const dark of [false, true]) {
    const paper = diverging(0, 1, dark);
    assert.deepEqual(diverging(null, 1, dark), paper);
    assert.deepEqual(diverging(5, 0, dark), paper);
    const [minus, plus] = [diverging(-1, 1, dark), diverging(1, 1, dark)];
    assert.ok(minus[2] > minus[0] && plus[0] > plus[2]);
    assert.deepEqual(diverging(-9, 1, dark), minus);
    for (let v = -1; v <= 1; v += 0.05) {
      const colour = diverging(v, 1, dark);
      assert.ok(contrast(colour, inkOn(colour)) >= 4.5, `${v} ${dark}`);
    }
  }
  assert.equal(limitOf([1, -3, null]), 3);
});

test("whole pictures have the colours of their numbers", async () => {
  const { diverging, grey, paintDiverging, paintGrey, paintRGB } = await load("core/colour.js");
  const values = Float32Array.from({ length: 400 }, (_, i) => Math.sin(i) * 3);
  const rgb = (pixels, i) => [...pixels.slice(4 * i, 4 * i + 3)];
  const near = (a, b, by) => a.forEach((part, k) => assert.ok(Math.abs(part - b[k]) <= by, `${a} is not ${b}`));
  for (const dark of [false, true]) {
    const pixels = new Uint8ClampedArray(4 * values.length);
    paintDiverging(pixels, values, 2.5, dark);
    values.forEach((value, i) => near(rgb(pixels, i), diverging(value, 2.5, dark), 1));
    paintDiverging(pixels, [NaN, null, 0, 9, -9, 2.5], 2.5, dark);
    [0, 0, 0, 1, -1, 1].forEach((value, i) => assert.deepEqual(rgb(pixels, i), diverging(value, 1, dark)));
    paintDiverging(pixels, values, 0, dark);
    assert.deepEqual(rgb(pixels, 7), diverging(0, 1, dark));
  }
  const pixels = new Uint8ClampedArray(4 * values.length);
  paintGrey(pixels, values, -1, 2);
  values.forEach((value, i) => near(rgb(pixels, i), grey(value, -1, 2), 1));
  assert.ok(pixels.every((part, i) => i % 4 < 3 || part === 255));
  paintRGB(pixels.subarray(0, 8), [0, 1, 0.2, 0.4, 1, 0]);
  assert.deepEqual([...pixels.subarray(0, 8)], [0, 51, 255, 255, 255, 102, 0, 255]);
});

test("arrows move within the field and nowhere else", async () => {
  const { stepTo } = await load("core/roving.js");
  assert.deepEqual(stepTo("ArrowDown", 0, 0, 3, 4), [1, 0]);
  assert.deepEqual(stepTo("ArrowUp", 0, 2, 3, 4), [0, 2]);
  assert.deepEqual(stepTo("End", 1, 0, 3, 4), [1, 3]);
  assert.deepEqual(stepTo("Home", 2, 3, 3, 4, true), [0, 0]);
  assert.deepEqual(stepTo("PageDown", 0, 0, 3, 4), [2, 0]);
  assert.equal(stepTo("a", 0, 0, 3, 4), null);
  assert.equal(stepTo("ArrowUp", 0, 0, 0, 0), null);
});

test("numbers for the eye", async () => {
  const { num, signed, count, formula } = await load("core/format.js");
  assert.equal(num(null), "—");
  assert.equal(num(-2), "−2");
  assert.equal(num(0.1 + 0.2), "0.3");
  assert.equal(num(1.5e-9), "1.500e−9");
  assert.equal(signed(0.25), "+0.25");
  assert.equal(count(1234567), "1\u202f234\u202f567");
  assert.equal(formula("2·0"), "2⋅0");
});

test("scales, ticks and broken lines", async () => {
  const { scale, ticks, path } = await load("parts/chart-scale.js");
  const across = scale([0, 10], [0, 100]);
  assert.equal(across.at(5), 50);
  assert.deepEqual(ticks(across), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(ticks(scale([0.01, 100], [0, 1], { log: true })), [0.01, 0.1, 1, 10, 100]);
  assert.ok(Number.isFinite(scale([3, 3], [0, 1]).at(3)));
  assert.ok(Number.isFinite(scale([], [0, 1]).at(0)));
  assert.equal(
    path(
      [
        [0, 0],
        [5, null],
        [10, 10],
      ],
      across,
      across,
    ),
    "M0.0 0.0M100.0 100.0",
  );
});

test("a chain of layers", async () => {
  const { replace, insert, remove, move } = await load("rooms/shapes/chain.js");
  const chain = ["conv 1 3", "relu", "linear"];
  assert.deepEqual(replace(chain, 1, "tanh | pool 2"), ["conv 1 3", "tanh", "pool 2", "linear"]);
  assert.deepEqual(replace(chain, 1, " "), ["conv 1 3", "linear"]);
  assert.deepEqual(insert(chain, 3, "relu"), [...chain, "relu"]);
  assert.deepEqual(remove(chain, 0), ["relu", "linear"]);
  assert.deepEqual(move(chain, 0, -1), chain);
  assert.deepEqual(move(chain, 0, 1), ["relu", "conv 1 3", "linear"]);
});

test("blocks with brackets", async () => {
  const { isBracket, move, remove, replace, spec } = await load("rooms/shapes/chain.js");
  const blocks = ["relu", "[", "tanh", "/", "[", "conv 1 3", "relu", "]+x2", "]&", "linear"];
  const text = "relu | [ tanh / [ conv 1 3 | relu ]+x2 ]& | linear";
  assert.equal(spec(blocks), text);
  assert.deepEqual(replace(["x"], 0, text), blocks);
  assert.deepEqual(blocks.filter(isBracket), ["[", "/", "[", "]+x2", "]&"]);
  assert.equal(spec(remove(blocks, 7)), "relu | [ tanh / conv 1 3 | relu ]& | linear");
  assert.equal(spec(remove(blocks, 3)), "relu | tanh | [ conv 1 3 | relu ]+x2 | linear");
  assert.equal(spec(remove(blocks, 5)), "relu | [ tanh / [ relu ]+x2 ]& | linear");
  assert.equal(spec(move(blocks, 1, -1)), "[ relu | tanh / [ conv 1 3 | relu ]+x2 ]& | linear");
});

test("lines of equal height, and where a path has got to", async () => {
  const { contour, levels, reached } = await load("rooms/descent/contour.js");
  const xs = [-2, -1, 0, 1, 2];
  const heights = xs.map((y) => xs.map((x) => x * x + y * y));
  const places = [...contour(heights, xs, xs, 2.5, Number, Number).matchAll(/[ML](\S+) (\S+?)(?=[ML]|$)/g)];
  assert.ok(places.length >= 16);
  for (const [, x, y] of places) assert.ok(Math.abs(Math.hypot(x, y) - Math.sqrt(2.5)) < 0.25);
  assert.equal(contour(heights, xs, xs, 99, Number, Number), "");
  const [low, ...rest] = levels(heights, 5);
  assert.ok(low > 0 && rest.every((level, i) => level > [low, ...rest][i]));
  const points = [0, 1, 2, 5].map((samples) => ({ samples }));
  assert.deepEqual(
    [0, 1.5, 4, 5, 9].map((x) => reached(points, "samples", x)),
    [0, 1, 2, 3, 3],
  );
});

test("tensors: resized, changed, and which kernel reads which channel", async () => {
  const { build, filler, place, put, resize, settle, sizes, taps } = await load("rooms/convolution/tensors.js");
  const tensor = build([2, 3, 4], ([i, j, k]) => 100 * i + 10 * j + k);
  assert.deepEqual(sizes(tensor), [2, 3, 4]);
  assert.equal(put(tensor, [1, 2, 3], -1)[1][2][3], -1);
  assert.equal(tensor[1][2][3], 123);
  assert.deepEqual(resize(tensor, [1, 2, 2]), [
    [
      [0, 1],
      [10, 11],
    ],
  ]);
  assert.equal(resize(tensor, [3, 3, 4])[2][0][0], filler([2, 0, 0]));
  assert.deepEqual(
    Array.from({ length: 4 }, (_, channel) => place(2, channel, 4, 4, 2)),
    [null, null, 0, 1],
  );
  const state = {
    weight: build([1, 1, 3, 3], () => 1),
    bias: [7],
    in_channels: 4,
    out_channels: 2,
    groups: 2,
    kernel_size: [1, 2],
  };
  assert.deepEqual(sizes(settle(state).weight), [2, 2, 1, 2]);
  assert.deepEqual(settle(state).bias, [7, 0]);
  assert.deepEqual(taps(1, 2, { kernel_size: [1, 2], stride: [2, 1], dilation: [1, 3] }), [
    [2, 2],
    [2, 5],
  ]);
});

test("sentences of the server are said in another language, places and all", async () => {
  const { phrasebook } = await load("core/phrases.js");
  const say = phrasebook([
    ["out of memory", "内存耗尽"],
    ["it is made for {} (not {})", "为 {0}，非 {1}"],
    ["{} is complete", "{0!} 完整"],
    ["{} (cancels)", "{0}（相消）"],
    ["{} of {}", "{1} 中的 {0}"],
    ["{}all kinds of layers are known", "{0!}所有种类的层都有"],
    ["did you mean {}?", "是不是 {0}？"],
  ]);
  assert.equal(say("it is made for 3 (not 5)"), "为 3，非 5");
  assert.equal(say("1e-12 (cancels) is complete"), "1e-12（相消） 完整");
  assert.equal(say("did you mean 'pool'? all kinds of layers are known"), "是不是 'pool'？ 所有种类的层都有");
  assert.equal(say("it is made for 3"), null);
  assert.equal(say(""), null);
  assert.equal(say("out of memory"), "内存耗尽");
  assert.equal(say("3 of 4"), "4 中的 3");
  assert.equal(say("the end of the day"), null); // a short form's places take a word each
});

test("what a page keeps of a long run is bounded, and new points take the place of old ones", async () => {
  globalThis.document = { querySelector: () => ({ content: "" }) };
  const { kept, merge } = await load("rooms/train/live.js");
  assert.deepEqual(
    merge(
      [
        [1, 5],
        [2, 6],
      ],
      [
        [2, 7],
        [3, 8],
      ],
    ),
    [
      [1, 5],
      [2, 7],
      [3, 8],
    ],
  );
  assert.deepEqual(merge([[1, 5]], []), [[1, 5]]);
  let points = [];
  for (let step = 1; step <= 30000; step += 10)
    points = merge(
      points,
      Array.from({ length: 10 }, (_, i) => [step + i, 0]),
    );
  assert.ok(points.length <= 4000);
  assert.deepEqual(points[0], [1, 0]);
  assert.deepEqual(
    points.slice(-2000),
    Array.from({ length: 2000 }, (_, i) => [28001 + i, 0]),
  );
  assert.equal(kept([1, 2, 3]).length, 3);
});

test("what a link may say: rules keep, clamp or drop", async () => {
  const { decode, list, oneOf, orNull, real, tensor, whole } = await load("core/state.js");
  const defaults = { axis: "samples", n: 5, lr: 0.1, path: [], input: [[[1]]], bias: null };
  const element = (value) => (Array.isArray(value) ? value : undefined);
  const rules = {
    axis: oneOf(["samples", "updates"]),
    n: whole(1, 9),
    lr: real(0, 1),
    path: list(element, 0, 2),
    input: tensor(3),
    bias: orNull(tensor(1)),
  };
  const settled = (query) => decode(query, defaults, rules);
  assert.deepEqual(settled("axis=x&path=[null]&input=[[[1],[2,3]]]&bias=[[1]]"), defaults);
  assert.deepEqual(settled("input=[]"), defaults);
  assert.deepEqual(settled("input=[[[1,null]]]"), defaults);
  assert.deepEqual(settled("n=99&lr=-3"), { ...defaults, n: 9, lr: 0 });
  assert.equal(settled("n=2.6").n, 3);
  assert.equal(settled("lr=1e999").lr, 1);
  assert.deepEqual(settled('path=[["conv1",0]]&bias=[1,2]'), { ...defaults, path: [["conv1", 0]], bias: [1, 2] });
  assert.deepEqual(settled("path=[[],[],[]]").path, []);
});

test("a loss as means of equal windows: every update counts once", async () => {
  const { horizon, windows } = await load("rooms/train/windows.js");
  assert.deepEqual(windows([], 10), []);
  assert.deepEqual(
    windows(
      [
        [10, 1],
        [20, 3],
      ],
      10,
    ),
    [
      [10, 1],
      [20, 3],
    ],
  );
  assert.deepEqual(
    windows(
      [
        [5, 1],
        [10, 3],
        [13, 9],
      ],
      10,
    ),
    [
      [10, 2],
      [13, 9],
    ],
  );
  assert.deepEqual(windows([[25, 4]], 10), [
    [10, 4],
    [20, 4],
    [25, 4],
  ]); // one point over several windows
  assert.deepEqual(
    windows(
      [
        [9, 2],
        [10, 12],
      ],
      10,
    ),
    [[10, 3]],
  ); // a point of one update weighs a tenth: no spike
  const points = [
    [3, 0.5],
    [4, 7],
    [31, 2],
    [32, 0.1],
    [70, 5],
  ];
  const total = (found) =>
    found.reduce(([sum, before], [step, loss]) => [sum + (step - before) * loss, step], [0, 0])[0];
  for (const width of [1, 7, 10, 200]) assert.ok(Math.abs(total(windows(points, width)) - total(points)) < 1e-9);
  assert.equal(horizon(10, 0), 10);
  assert.equal(horizon(400, 1000), 1000);
  assert.equal(horizon(10, 1000), 20);
  assert.equal(horizon(40, 7500), 100);
});

test("axes: few ticks on any scale, and large numbers with few letters", async () => {
  const { scale, ticks } = await load("parts/chart-scale.js");
  const { power } = await load("core/format.js");
  for (const [low, high] of [
    [1.9, 2.4],
    [0.5, 3],
    [1e-3, 1e7],
    [2, 2.1],
    [1e-30, 1e30],
    [7e4, 9e6],
  ]) {
    const found = ticks(scale([low, high], [0, 1], { log: true, room: true }));
    assert.ok(found.length >= 2 && found.length <= 13, `${low} ${high}: ${found}`);
    assert.deepEqual(
      [...found].sort((a, b) => a - b),
      found,
    );
  }
  const words = { 0: "0", 2.5: "2.5", 100000: "10⁵", 20000000: "2·10⁷", 0.00015: "1.5·10⁻⁴", 99999: "99999" };
  for (const [value, text] of Object.entries(words)) assert.equal(power(Number(value)), text);
  assert.equal(power(-300000), "\u22123·10⁵");
});

test("a run's trouble is told in sentences, and none where there is none", async () => {
  const { remarks } = await load("rooms/train/diagnosis.js");
  const row = (epoch, train_loss, test_loss) => ({ epoch, train_loss, test_loss });
  const state = {
    classes: Array(10).fill(""),
    loss: "cross-entropy",
    lr: 0.1,
    epochs_done: [],
    layers: ["conv1", "conv2"],
  };
  const keys = (run) => remarks({ state, losses: [], norms: [], probe: null, ...run }).map(([key]) => key);
  assert.deepEqual(remarks({ state: null }), []);
  assert.deepEqual(
    keys({
      losses: [
        [1, 2.3],
        [2, 0.4],
      ],
    }),
    [],
  );
  assert.deepEqual(
    remarks({
      state,
      losses: [
        [1, 2.3],
        [3, 1e7],
      ],
      norms: [],
    }),
    [["exploded", { loss: 1e7, step: 3, try: 0.01 }]],
  );
  assert.deepEqual(keys({ state: { ...state, loss: "mse" }, losses: [[1, 1e7]] }), []);
  const apart = [
    [1, 0.1],
    [9, 0.6],
  ];
  assert.deepEqual(keys({ state: { ...state, loss: "mse" }, losses: apart }), ["exploded"]);
  const flat = { ...state, epochs_done: [row(1, 2.301, 2.3), row(2, 2.303, 2.3)] };
  assert.deepEqual(keys({ state: flat }), ["plateau"]);
  const learnt = [row(1, 1, 1), row(2, 0.5, 0.8), row(3, 0.2, 0.9), row(4, 0.05, 1.2)];
  assert.deepEqual(keys({ state: { ...state, epochs_done: learnt } }), ["overfitting"]);
  assert.deepEqual(keys({ state: { ...state, epochs_done: learnt.slice(0, 3) } }), []);
  assert.deepEqual(keys({ norms: [[5, [1e-9, 1]]] }), ["vanished"]);
  const layer = (silent, channels) => ({ head: { outputs: [{ name: "relu1", silent, channels }] } });
  assert.deepEqual(keys({ probe: layer(4, 4), norms: [[5, [1e-9, 1]]] }), ["dead"]); // which is why the gradient vanishes
  assert.deepEqual(keys({ probe: layer(2, 4) }), ["silent"]);
  assert.deepEqual(keys({ probe: layer(1, 4) }), []);
  assert.deepEqual(keys({ probe: layer(0, 0) }), []); // no ReLU
});

test("the film stands at the last frame before an update, and histograms are drawn on an axis that is shared", async () => {
  const { filmed, placeOf } = await load("rooms/train/film/reel.js");
  assert.deepEqual(
    [-1, 0, 4, 5, 99].map((at) => placeOf([0, 2, 5, 9], at)),
    [3, 0, 1, 2, 3],
  );
  const job = (status) => ({ state: { run: "a", status } });
  assert.deepEqual(filmed(job("training"), "b"), { run: "a", live: true }); // it is what there is to see
  assert.deepEqual(filmed(job("finished"), "b"), { run: "b", live: false });
  assert.deepEqual(filmed(job("finished"), ""), { run: "a", live: true });
  assert.deepEqual(filmed(null, "b"), { run: "b", live: false });
  assert.equal(filmed(null, ""), null);
  const { outline } = await load("rooms/train/film/outline.js");
  assert.equal(
    outline({ counts: [1, 4], low: 0, high: 1 }, 0, 2),
    "M0.0 56L0.0 28.0L40.0 28.0L40.0 0.0L80.0 0.0L80.0 56Z",
  );
  assert.ok(outline({ counts: [7, 0], low: 1, high: 1 }, 0, 2).startsWith("M78.5 56"));
});
