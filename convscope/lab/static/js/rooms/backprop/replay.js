// What is known after some steps of a walk: null is "not computed yet", never zero. No DOM in here.

export function replay({ boxes, steps, cached }, taken) {
  const known = boxes.map((box) => box.kind !== "operation");
  const gradients = boxes.map(() => null);
  const flows = new Map(); // edge → what it carried on the present backward pass
  for (const step of steps.slice(0, taken)) {
    if (step.phase === "forward") known[step.node] = true;
    if (step.phase === "seed") {
      boxes.forEach((box, i) => {
        if (box.kind === "operation") gradients[i] = null;
      }); // leaves keep what they have
      gradients[step.node] = step.upstream;
      flows.clear();
    }
    for (const given of step.given) {
      gradients[given.input] = given.accumulated;
      flows.set(given.edge, given);
    }
  }
  return { known, gradients, flows, cached: new Set(taken ? steps[taken - 1].cached : cached) };
}
