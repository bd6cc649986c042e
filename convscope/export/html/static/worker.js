// Beside the page: the net is opened once, then every picture is prepared and answered.
let opened;
globalThis.onmessage = async ({ data }) => {
  try {
    if (data.net) {
      opened = openNet(data.net, data.weights);
      return;
    }
    const net = await opened,
      start = performance.now();
    const input = prepare(net, data.rgba, data.height, data.width);
    const { probabilities, made } = forward(net, input);
    postMessage({ number: data.number, input, probabilities, made, seconds: (performance.now() - start) / 1000 });
  } catch (error) {
    postMessage({ number: data.number, failed: String(error) });
  }
};
