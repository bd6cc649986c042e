// Type in drawings that are scaled with the page: --unit is how many units of the drawing a pixel of the page is, so that
// CSS can give it its size on the screen (see --figure-type).

const watch = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries)
    if (contentRect.width) target.style.setProperty("--unit", target.viewBox.baseVal.width / contentRect.width);
});

export function legible(svg) {
  watch.observe(svg);
  return svg;
}
