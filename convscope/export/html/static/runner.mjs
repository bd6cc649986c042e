// Node: node runner.mjs QUESTIONS.json. The engine of each exported page answers images, or prepares pictures.
import fs from "node:fs";

const part = (page, id) => page.match(new RegExp(`<script type="[a-z/]+" id="${id}">([^]*?)</script>`))[1];

async function main() {
  const questions = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
  const answers = [];
  for (const question of questions) {
    const page = fs.readFileSync(question.page, "utf8");
    const engine = new Function(`${part(page, "engine")}; return { openNet, forward, prepare };`)();
    const net = await engine.openNet(JSON.parse(part(page, "net")), part(page, "weights"));
    const start = process.hrtime.bigint();
    const probabilities = [],
      prepared = [];
    for (const picture of question.pictures || []) {
      const rgba = Uint8ClampedArray.from(Buffer.from(picture.rgba, "base64"));
      prepared.push(Array.from(engine.prepare(net, rgba, picture.height, picture.width)));
    }
    if (question.images) {
      const pixels = fs.readFileSync(question.images),
        size = net.image.reduce((a, b) => a * b, 1);
      for (let at = 0; at < pixels.length; at += size)
        probabilities.push(engine.forward(net, pixels.subarray(at, at + size)).probabilities);
    }
    answers.push({ probabilities, prepared, seconds: Number(process.hrtime.bigint() - start) / 1e9 });
  }
  process.stdout.write(JSON.stringify(answers));
}

main();
