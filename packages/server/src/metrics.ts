import type { TextGenerator } from "@weft/generation";

/** Upper ends of the histogram's buckets, in seconds. */
const BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** What a server has done, as text that Prometheus reads. */
export class Metrics {
  private readonly requests = new Map<string, number>();
  private readonly buckets = BUCKETS.map(() => 0);
  private seconds = 0;
  private count = 0;

  /** @param route of those that there are @param status 499: the client had gone before its answer was whole */
  record(route: string, status: number, seconds: number): void {
    const labels = `endpoint="${route}",status="${status}"`;
    this.requests.set(labels, (this.requests.get(labels) ?? 0) + 1);
    for (const [i, end] of BUCKETS.entries()) if (seconds <= end) this.buckets[i]!++;
    this.seconds += seconds;
    this.count++;
  }

  /** @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
  text({ engine }: TextGenerator): string {
    const { running, waiting, promptTokens, reusedTokens, generatedTokens } = engine.counts;
    const one = (name: string, type: string, help: string, value: number): string[] => [...about(name, type, help), `${name} ${value}`];
    const duration = "weft_request_duration_seconds";
    return [
      ...about("weft_requests_total", "counter", "Requests by endpoint and status; 499: the client had gone."),
      ...[...this.requests].map(([labels, n]) => `weft_requests_total{${labels}} ${n}`),
      ...one("weft_requests_running", "gauge", "Answers that are being generated.", running),
      ...one("weft_requests_waiting", "gauge", "Answers that wait for a place in the batch.", waiting),
      ...one("weft_prompt_tokens_total", "counter", "Tokens of prompts that were run.", promptTokens),
      ...one("weft_prompt_tokens_reused_total", "counter", "Tokens of prompts that were found in the cache.", reusedTokens),
      ...one("weft_generated_tokens_total", "counter", "Tokens that were generated.", generatedTokens),
      ...one("weft_adapters", "gauge", "Adapters that are loaded.", engine.adapters.length),
      ...about(duration, "histogram", "From a request's headers to the end of its answer."),
      ...BUCKETS.map((end, i) => `${duration}_bucket{le="${end}"} ${this.buckets[i]}`),
      `${duration}_bucket{le="+Inf"} ${this.count}`,
      `${duration}_sum ${this.seconds}`,
      `${duration}_count ${this.count}`,
      "",
    ].join("\n");
  }
}

const about = (name: string, type: string, help: string): string[] => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
