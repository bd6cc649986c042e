// Questions to the server. An error of the project arrives as an ApiError with the command line's words; one without a
// status means that nobody answers.

import { key, lose, renew } from "./connection.js";

export const STALE = Symbol("a later question, or a later run, overtook this one");

export class ApiError extends Error {
  constructor(status, { error = "", help = "", ...more } = {}) {
    super(error);
    Object.assign(this, { status, help, more });
  }
}

// The answer: JSON, or bytes; STALE where the server has nothing, for what was asked about has been replaced.
export async function ask(path, body, signal) {
  let response = await send(path, body, signal);
  if (response.status === 403 && (await renew())) response = await send(path, body, signal); // the lab was started again
  if (!response.ok)
    throw new ApiError(response.status, await response.json().catch(() => ({ error: response.statusText })));
  if (response.status === 204) return STALE;
  const json = response.headers.get("content-type").startsWith("application/json");
  return json ? response.json() : response.arrayBuffer();
}

async function send(path, body, signal) {
  const headers = { "X-Convscope-Token": key() };
  if (body === undefined) return reach(path, { headers, signal });
  headers["Content-Type"] = "application/json";
  return reach(path, { method: "POST", headers, signal, body: JSON.stringify(body) });
}

async function reach(path, request) {
  try {
    return await fetch(path, request);
  } catch (error) {
    if (request.signal?.aborted) throw error;
    lose();
    throw new ApiError(0);
  }
}

// A line on which only the latest question is answered: earlier ones are aborted and give STALE. drop(): the latest is
// none any more, as where what it would replace is wanted again.
export function line() {
  let running = null;
  const asking = async (path, body) => {
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
  asking.drop = () => running?.abort();
  return asking;
}
