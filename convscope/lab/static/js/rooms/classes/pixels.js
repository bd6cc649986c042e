// Pictures as small files: the square in the middle of the camera's image, and files of the reader's, reduced.

const SHOT = 256; // pixels of a shot's side
const MOST = 512; // of a file's longer side: the server keeps no more
const SMALL = 2_000_000; // bytes of a file that goes to the server as it is, where this browser cannot read it

// What the camera shows, as a file; null before its first image.
export async function shotOf(video) {
  const side = Math.min(video.videoWidth, video.videoHeight);
  if (!side) return null;
  const [left, top] = [(video.videoWidth - side) / 2, (video.videoHeight - side) / 2];
  const canvas = new OffscreenCanvas(SHOT, SHOT);
  canvas.getContext("2d").drawImage(video, left, top, side, side, 0, 0, SHOT, SHOT);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

// A file of the reader's, reduced where it is large; null for what is too large and cannot be read here.
export async function reducedFile(file) {
  if (file.type && !file.type.startsWith("image/")) return null;
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return file.size <= SMALL ? file : null;
  }
  const scale = Math.min(1, MOST / Math.max(picture.width, picture.height));
  if (scale === 1 && file.size <= SMALL) return (picture.close(), file);
  const [width, height] = [picture.width, picture.height].map((n) => Math.max(1, Math.round(n * scale)));
  const canvas = new OffscreenCanvas(width, height);
  const ink = canvas.getContext("2d");
  Object.assign(ink, { fillStyle: "#fff", imageSmoothingQuality: "high" });
  ink.fillRect(0, 0, width, height);
  ink.drawImage(picture, 0, 0, width, height);
  picture.close();
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

// Pixels {rgba, height, width} on a canvas, and as a file.
export function painted(canvas, { rgba, height, width }) {
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
  return new Promise((resume) => canvas.toBlob(resume, "image/png"));
}
