"use strict";
const TEXTS = {
  en: {
    private: "Everything is computed on this device: nothing is sent anywhere.",
    choose: "Choose a picture",
    camera: "Camera",
    draw: "Draw",
    clear: "Clear",
    take: "Take the picture",
    drop: "Or drop a picture here, or paste one.",
    shown: "picture",
    seen: "what the net sees",
    layers: "Layer by layer",
    maps: "Open a layer to see its feature maps: dark is its lowest value, light its highest.",
    about: "About this net",
    pad: "Drawing pad",
    probability: "probability",
    score: "score",
    nocamera: "There is no camera that this page may use: choose a picture instead.",
    unreadable: "This file cannot be read as a picture.",
    time: "ms on this device",
    more: "more are not shown",
    failed: "The net could not be run here:",
    other: "中文",
  },
  zh: {
    private: "一切都在本设备上计算，不会发送任何内容。",
    choose: "选择图片",
    camera: "摄像头",
    draw: "手写",
    clear: "清除",
    take: "拍照",
    drop: "也可以把图片拖到这里，或粘贴图片。",
    shown: "图片",
    seen: "网络看到的",
    layers: "逐层查看",
    maps: "展开一层可看它的特征图：最暗为最小值，最亮为最大值。",
    about: "关于这个网络",
    pad: "手写板",
    probability: "概率",
    score: "得分",
    nocamera: "此页面没有可用的摄像头，请改为选择图片。",
    unreadable: "无法把这个文件读作图片。",
    time: "毫秒（本设备）",
    more: "个未显示",
    failed: "网络无法在这里运行：",
    other: "English",
  },
};
const MOST_BARS = 10,
  MOST_MAPS = 128,
  LARGEST = 4096;
const $ = (id) => document.getElementById(id);
const net = JSON.parse($("net").textContent);
const worker = new Worker(URL.createObjectURL(new Blob([$("engine").textContent], { type: "text/javascript" })));
let language = (navigator.language || "").startsWith("zh") ? "zh" : "en",
  said = null,
  answer = null,
  number = 0;

const text = (key) => TEXTS[language][key];

function element(tag, properties = {}, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function translate() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = text(place.dataset.text);
  $("language").textContent = text("other");
  $("language").lang = language === "zh" ? "en" : "zh";
  $("pad").setAttribute("aria-label", text("pad"));
  $("shown").setAttribute("aria-label", text("shown"));
  $("seen").setAttribute("aria-label", text("seen"));
  if (said) $("answer").textContent = text(said);
  if (answer) show();
}

function say(key) {
  said = key;
  $("answer").textContent = text(key);
}

// A picture, canvas or video → the worker.
function classify(source, width, height) {
  const scale = Math.min(1, LARGEST / Math.max(width, height));
  const canvas = $("shown");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  worker.postMessage({ rgba: data, width: canvas.width, height: canvas.height, number: ++number });
}

async function openFile(file) {
  if (!file) return;
  try {
    const picture = await createImageBitmap(file);
    classify(picture, picture.width, picture.height);
    picture.close();
  } catch {
    say("unreadable");
  }
}

worker.postMessage({ net, weights: $("weights").textContent });
worker.onmessage = ({ data }) => {
  if (data.failed) {
    said = null;
    $("answer").textContent = `${text("failed")} ${data.failed}`;
  } else if (data.number === number) {
    [said, answer] = [null, data];
    show();
    $("answer").dataset.number = number;
  }
};

function show() {
  const { probabilities, input, made, seconds } = answer,
    probable = net.confidence === "probability";
  const shown = (p) => (probable ? `${(100 * p).toFixed(2)} %` : p.toFixed(4));
  const order = probabilities.map((_, k) => k).sort((a, b) => probabilities[b] - probabilities[a]);
  $("answer").textContent = `${net.classes[order[0]]} · ${shown(probabilities[order[0]])}`;
  $("bars").replaceChildren(
    ...order.slice(0, MOST_BARS).map((k) =>
      element("li", {}, [
        element("span", { className: "name", textContent: net.classes[k], title: net.classes[k] }),
        element("meter", {
          min: 0,
          max: 1,
          value: probabilities[k],
          ariaLabel: `${text(net.confidence)}: ${net.classes[k]}`,
        }),
        element("span", { className: "number", textContent: shown(probabilities[k]) }),
      ]),
    ),
  );
  $("time").textContent = `${(1000 * seconds).toFixed(1)} ${text("time")}`;
  $("pictures").hidden = $("layers").hidden = false;
  paint($("seen"), input, net.image);
  const steps = [{ name: "image", shape: net.image }, ...net.steps];
  const opened = new Set([...document.querySelectorAll("#steps details[open]")].map((d) => d.dataset.name));
  $("steps").replaceChildren(...steps.map((step) => layer(step, made[step.name], opened.has(step.name))));
}

// A layer whose maps are painted when it is opened.
function layer(step, values, opened) {
  const place = element("div", { className: "maps" });
  const made = element("details", {}, [
    element("summary", { textContent: `${step.name}  (${step.shape.join(" × ")})` }),
    place,
  ]);
  made.dataset.name = step.name;
  made.ontoggle = () => {
    if (made.open && !place.childNodes.length) place.append(...maps(step.shape, values));
  };
  made.open = opened;
  return made;
}

function maps(shape, values) {
  const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const level = (v) => (high > low ? Math.round((255 * (v - low)) / (high - low)) : 0);
  if (shape.length === 1) {
    const canvas = element("canvas", { className: "map flat" });
    paint(canvas, Uint8Array.from(values, level), [1, 1, values.length]);
    return [canvas];
  }
  const [channels, height, width] = shape,
    area = height * width;
  const made = Array.from({ length: Math.min(channels, MOST_MAPS) }, (_, c) => {
    const canvas = element("canvas", { className: "map", title: `${c}` });
    paint(canvas, Uint8Array.from(values.subarray(c * area, (c + 1) * area), level), [1, height, width]);
    return canvas;
  });
  if (channels > MOST_MAPS) made.push(element("small", { textContent: `${channels - MOST_MAPS} ${text("more")}` }));
  return made;
}

// uint8 (1 or 3, H, W) on a canvas.
function paint(canvas, pixels, [channels, height, width]) {
  const area = height * width,
    rgba = new Uint8ClampedArray(4 * area).fill(255);
  for (let i = 0; i < area; i++)
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = pixels[(channels === 3 ? c * area : 0) + i];
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
}

function startDrawing() {
  const pad = $("pad"),
    context = pad.getContext("2d", { willReadFrequently: true });
  const clear = () => {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, pad.width, pad.height);
  };
  clear();
  Object.assign(context, { lineWidth: 20, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
  const at = (event) => {
    const box = pad.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * pad.width) / box.width,
      ((event.clientY - box.top) * pad.height) / box.height,
    ];
  };
  pad.onpointerdown = (event) => {
    pad.setPointerCapture(event.pointerId);
    context.beginPath();
    context.moveTo(...at(event));
    context.lineTo(...at(event));
    context.stroke();
  };
  pad.onpointermove = (event) => {
    if (!event.buttons) return;
    context.lineTo(...at(event));
    context.stroke();
  };
  pad.onpointerup = () => classify(pad, pad.width, pad.height);
  $("clear").onclick = clear;
  $("draw").onclick = () => ($("drawing").hidden = !$("drawing").hidden);
}

async function watch() {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    $("video").srcObject = stream;
    await $("video").play();
    $("watching").hidden = false;
    $("take").onclick = () => {
      classify($("video"), $("video").videoWidth, $("video").videoHeight);
      stream.getTracks().forEach((track) => track.stop());
      $("watching").hidden = true;
    };
  } catch {
    say("nocamera");
  }
}

$("file").onchange = ({ target }) => openFile(target.files[0]);
$("camera").onclick = watch;
$("language").onclick = () => {
  language = language === "zh" ? "en" : "zh";
  translate();
};
document.ondragover = (event) => {
  event.preventDefault();
  $("zone").classList.add("over");
};
document.ondragleave = () => $("zone").classList.remove("over");
document.ondrop = (event) => {
  event.preventDefault();
  $("zone").classList.remove("over");
  openFile(event.dataTransfer.files[0]);
};
document.onpaste = (event) => openFile([...event.clipboardData.files][0]);
if (net.ink) {
  $("draw").hidden = false;
  startDrawing();
}
for (const [key, value] of Object.entries(net.facts))
  $("facts").append(element("dt", { textContent: key }), element("dd", { textContent: value }));
translate();
