// How pictures come into a class: shots of the camera, and files one after the other.

import { complete } from "../../core/dom.js";
import { gathered } from "./gather.js";
import { reducedFile, shotOf } from "./pixels.js";

const MOST_AT_ONCE = 4; // shots on their way: on a slow machine fewer are taken

// add(blob) keeps a picture; video(): the camera's, a promise of null where it has yet to open; tell(words) to the reader;
// refused(error) what could not be done.
export function intake(t, { add, video, tell, refused }) {
  let flying = 0;

  async function shot() {
    if (flying >= MOST_AT_ONCE) return;
    flying += 1;
    try {
      const open = await video();
      const picture = open && (await shotOf(open));
      if (picture) await add(picture);
    } catch (error) {
      refused(error);
    } finally {
      flying -= 1;
    }
  }

  // source: of an input or a drop. What cannot be kept is counted, and the last reason is said.
  async function files(source) {
    const found = await gathered(source);
    let [done, bad, why] = [0, 0, ""];
    for (const file of found) {
      tell(t("classes.reading", { i: ++done, n: found.length }));
      try {
        const blob = await reducedFile(file);
        if (blob) await add(blob);
        else bad += 1;
      } catch (error) {
        if (!error.status) return refused(error);
        bad += 1;
        why = complete(t.said(error.message).text);
      }
    }
    tell(bad ? `${t("classes.unread", { bad, n: found.length })} ${why}` : "");
  }

  return { shot, files };
}
