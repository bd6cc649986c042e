// The front page and the rooms, in the note's order. A room is a module with `defaults` and `mount(room)`; its texts lie in
// text/*/<id>.json, and `texts` are further ones that it uses. Its lesson is lessons/<id>.js.

export const ROOMS = [
  { id: "glass", number: 0, texts: ["inside"], load: () => import("./rooms/glass.js") },
  { id: "losses", number: 1, load: () => import("./rooms/losses.js") },
  { id: "backprop", number: 2, load: () => import("./rooms/backprop.js") },
  { id: "descent", number: 3, load: () => import("./rooms/descent.js") },
  { id: "convolution", number: 4, load: () => import("./rooms/convolution.js") },
  { id: "pooling", number: 5, load: () => import("./rooms/pooling.js") },
  { id: "shapes", number: 6, load: () => import("./rooms/shapes.js") },
  { id: "train", number: 7, texts: ["film", "data"], load: () => import("./rooms/train.js") },
  { id: "inside", number: 8, texts: ["play"], load: () => import("./rooms/inside.js") },
  { id: "classes", number: 9, texts: ["inside", "train"], load: () => import("./rooms/classes.js") },
];
