// Questions to the server. An error of the project arrives as an ApiError with the command line's words; one without a
// status means that nobody answers.

const token = document.querySelector('meta[name="convscope-token"]').content;

export class ApiError extends Error {
  constructor(status, { error = "", help = "", ...more } = {}) {
    super(error);
    Object.assign(this, { status, help, more });
  }
}

export async function ask(path, body, signal) {
  const headers = { "X-Convscope-Token": token };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const request = { method: body === undefined ? "GET" : "POST", headers, signal };
  if (body !== undefined) request.body = JSON.stringify(body);
  const response = await fetch(path, request).catch((error) => {
    throw signal?.aborted ? error : new ApiError(0);
  });
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({ error: response.statusText })));
  return response.headers.get("content-type").startsWith("application/json") ? response.json() : response.arrayBuffer();
}

export const STALE = Symbol("a later question overtook this one");

// A line on which only the latest question is answered: earlier ones are aborted and give STALE.
export function line() {
  let running = null;
  return async (path, body) => {
    running?.abort();
    const mine = (running = new AbortController());
    try {
      const answer = await ask(path, body, mine.signal);
      return mine.signal.aborted ? STALE : answer;
    } catch (error) {
      if (mine.signal.aborted) return STALE;
      throw error;
    }
  };
}
