// Asks the documented endpoints. A newer question of the same kind stops the older one.

const running = new Map();
let busy = 0;

function show(change) {
  busy += change;
  document.documentElement.classList.toggle("busy", busy > 0);
}

export class Refusal extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

export async function ask(path, params, kind = path) {
  running.get(kind)?.abort();
  const control = new AbortController();
  running.set(kind, control);
  show(1);
  try {
    const query = params && params.size ? "?" + params : "";
    const answer = await fetch("/api/v1" + path + query, { signal: control.signal, headers: { Accept: "application/json" } });
    if (answer.status === 401) {
      location.assign("/ui/login?next=" + encodeURIComponent(location.pathname + location.search));
      return await new Promise(() => {});
    }
    const body = await answer.json().catch(() => null);
    if (!answer.ok) throw new Refusal(answer.status, body?.error ?? body?.message ?? `The server answered ${answer.status}.`);
    return body;
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Refusal) throw error;
    throw new Refusal(0, "The server cannot be reached. Is otel-llm still running?");
  } finally {
    show(-1);
    if (running.get(kind) === control) running.delete(kind);
  }
}

export const csvLink = (path, params) => `/api/v1${path}?${params}&format=csv`;
