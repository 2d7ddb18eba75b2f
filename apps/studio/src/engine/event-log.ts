import type { EngineEvent, NewEvent } from "../protocol/events.js";

/** Events of before these are forgotten; those who come later begin with the runs as they stand. */
const KEPT = 20_000;

/** Numbers events, keeps them for those who come later, and hands them on. */
export class EventLog {
  private readonly kept: EngineEvent[] = [];
  private readonly listener: (event: EngineEvent) => void;
  private last = 0;

  constructor(listener: (event: EngineEvent) => void) {
    this.listener = listener;
  }

  /** Number of the last event, 0 before the first. */
  get seq(): number {
    return this.last;
  }

  /** @returns the event with its number */
  add(event: NewEvent): EngineEvent {
    const numbered = { v: 1, seq: ++this.last, ...event } as EngineEvent;
    this.kept.push(numbered);
    if (this.kept.length > KEPT) this.kept.shift();
    this.listener(numbered);
    return numbered;
  }

  /** Hands on again what came after an event, in order. */
  replay(since: number): void {
    for (const event of this.kept) if (event.seq > since) this.listener(event);
  }
}
