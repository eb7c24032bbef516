// langfuse 3.37 for JavaScript: the daily metrics, and the error it throws.
import { Langfuse } from "langfuse";

const { API_URL, PUBLIC_KEY, SECRET_KEY, NOW_US } = process.env;
const make = (secretKey) => new Langfuse({ publicKey: PUBLIC_KEY, secretKey, baseUrl: API_URL }).api;
const now = Number(NOW_US) / 1000;
const errorOf = async (ask) => {
  try {
    await ask();
  } catch (error) {
    return [error.status, error.error];
  }
};
const api = make(SECRET_KEY);
console.log(
  JSON.stringify({
    all: await api.metricsDaily({}),
    filtered: await api.metricsDaily({
      limit: 10,
      traceName: "my-copilot",
      userId: "john",
      tags: ["a,b", "c"],
      fromTimestamp: new Date(now - 3600e3).toISOString(),
    }),
    "bad limit": await errorOf(() => api.metricsDaily({ limit: 0 })),
    "bad key": await errorOf(() => make("sk-wrong").metricsDaily({})),
  }),
);
