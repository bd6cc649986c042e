// What the page computes by itself, against PyTorch: the cases come from tests/lab/fixtures.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const JS = new URL("../../../convscope/lab/static/js/", import.meta.url);
const load = (name) => import(new URL(name, JS));
const cases = JSON.parse(readFileSync(process.env.CONVSCOPE_FIXTURES, "utf8"));
const close = (a, b, tolerance) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b} within ${tolerance}`);

// Some of each kind must be there, or these tests would say nothing.
function both(all) {
  const [good, bad] = [all.filter((one) => !one.refusal), all.filter((one) => one.refusal)];
  assert.ok(good.length > 50 && bad.length > 10, `${good.length} computed, ${bad.length} refused`);
  for (const { refusal, answer } of bad) assert.equal(answer.refused, refusal);
  return good;
}

test("convolutions: sizes, windows in every channel, and the cells of the ledger's terms", async () => {
  const { place, sizes, taps } = await load("rooms/convolution/tensors.js");
  for (const { state, answer, shape, at, windows, ledger } of both(cases.convolutions)) {
    assert.deepEqual(sizes(answer.output), shape);
    assert.deepEqual(
      answer.sides.map((side) => side.output),
      shape.slice(1),
    );
    windows.forEach((window, channel) => {
      const c = place(at[0], channel, state.out_channels, state.in_channels, state.groups);
      assert.deepEqual(c === null ? [] : taps(at[1], at[2], state), window);
      const terms = ledger.data.terms.filter(({ x }) => x.index[0] === channel);
      assert.deepEqual(
        terms.map(
          ({
            x: {
              index: [, r, q],
            },
          }) => [r + answer.sides[0].before, q + answer.sides[1].before],
        ),
        window,
      );
      for (const { w } of terms) assert.deepEqual(w.index.slice(0, 2), [at[0], c]);
    });
  }
});

test("poolings: sizes, windows, and where a cell's gradient comes from", async () => {
  const { sizes } = await load("rooms/convolution/tensors.js");
  const { box, cells, readers } = await load("rooms/pooling/windows.js");
  for (const { state, answer, shape, at, window, image, cell, readers: want, ledger } of both(cases.poolings)) {
    assert.deepEqual(sizes(answer.output), shape);
    const covered = cells(at[1], at[2], state);
    assert.deepEqual(
      covered.filter(([r, q]) => r >= 0 && q >= 0 && r < image[0] && q < image[1]),
      window,
    );
    assert.deepEqual(readers(...cell, shape.slice(1), state), want);
    const { row, column, rows, columns } = box(at[1], at[2], state);
    const [top, left] = [0, 1].map((axis) => Math.min(...covered.map((one) => one[axis])));
    const [bottom, right] = [0, 1].map((axis) => Math.max(...covered.map((one) => one[axis])));
    assert.deepEqual([row, column, row + rows - 1, column + columns - 1], [top, left, bottom, right]);
    const told = ledger.data.terms.filter(({ x }) => !x.padding).map(({ x }) => x.index.slice(1));
    assert.deepEqual(told, window);
  }
});

test("ledgers: every term once, under its channel or by size, and they come to PyTorch's number", async () => {
  const { layout } = await load("parts/ledger-rows.js");
  for (const {
    ledger: { data, by_channel, by_size },
    value,
  } of [...cases.convolutions, ...cases.poolings].filter((one) => one.ledger)) {
    const lines = layout(data);
    assert.deepEqual(
      lines.map(({ subtotal, i }) => (subtotal ? ["channel", subtotal.channel, subtotal.total] : i)),
      by_channel,
    );
    assert.deepEqual(
      layout(data, { sorted: true }).map(({ i }) => i),
      by_size,
    );
    assert.equal(layout(data, { most: 2 }).filter(({ term }) => term).length, Math.min(2, data.terms.length));
    assert.equal(data.reported, value);
    if (data.operation === "max") assert.equal(data.terms[data.winner].product, value);
    else
      close(
        lines.reduce((sum, { term }) => sum + (term?.product ?? 0), data.bias?.value ?? 0),
        value,
        2 * data.tolerance * data.magnitude,
      );
    for (const { subtotal } of lines) {
      if (subtotal)
        assert.equal(subtotal.terms, data.terms.filter(({ channel }) => channel === subtotal.channel).length);
    }
  }
});

test("colours are what their formula says, and the ink is the more readable one", async () => {
  const { contrast, diverging, grey, inkOn } = await load("core/colour.js");
  for (const { value, limit, dark, rgb, shade, grey: level, black, white } of cases.colours) {
    const colour = diverging(value, limit, dark);
    colour.forEach((part, i) => close(part, rgb[i], 0.5 + 1e-9));
    for (const part of grey(...shade)) close(part, level, 0.5 + 1e-9);
    close(contrast(colour, [0, 0, 0]), black, 1e-9);
    close(contrast(colour, [255, 255, 255]), white, 1e-9);
    assert.deepEqual(inkOn(colour), black >= white ? [0, 0, 0] : [255, 255, 255]);
  }
});

test("numbers keep the digits that are shown", async () => {
  const { num } = await load("core/format.js");
  const back = (text) => Number(text.replaceAll("\u2212", "-"));
  for (const { value, four, seven } of cases.numbers) {
    assert.equal(back(num(value)), four);
    close(back(num(value, 7)) / seven, 1, Math.abs(value) >= 1e-4 && Math.abs(value) < 1e7 ? 1e-15 : 5.1e-4); // powers of ten have four digits
  }
});

test("charts put values where numpy puts them, and ticks are round", async () => {
  const { scale, ticks } = await load("parts/chart-scale.js");
  for (const { values, pixels, linear, log } of cases.scales) {
    for (const [kind, want] of [
      [false, linear],
      [true, log],
    ]) {
      const along = scale(values, pixels, { log: kind });
      values.forEach((value, i) => close(along.at(value), want[i], 1e-6));
    }
    const marks = ticks(scale(values, pixels));
    assert.ok(marks.length >= 2 && marks.length <= 7, `${marks}`);
    for (const mark of marks) assert.ok(mark >= Math.min(...values) - 1e-9 && mark <= Math.max(...values) * (1 + 1e-9));
    const step = marks[1] - marks[0];
    const first = Number((step / 10 ** Math.floor(Math.log10(step) + 1e-9)).toPrecision(6));
    assert.ok([1, 2, 5].includes(first), `${marks}`);
  }
});

test("tensors arrive bit for bit", async () => {
  const { unpack } = await load("core/binary.js");
  for (const { bytes, arrays } of cases.packed) {
    const found = unpack(Uint8Array.from(Buffer.from(bytes, "base64")).buffer);
    assert.deepEqual(
      Object.fromEntries(Object.entries(found.arrays).map(([name, { shape, values }]) => [name, [shape, [...values]]])),
      arrays,
    );
    assert.match(found.head.text, /^(卷积 )+$/);
  }
});
