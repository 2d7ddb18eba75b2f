import type { BackendBuffer } from "../backend.js";

/**
 * Scratch memory that all plans of a backend share, since they run one after the other: as large as the largest plan that is lowered now needs.
 * Its contents are not kept between runs.
 */
export class Arena<B extends BackendBuffer> {
  private readonly allocate: (bytes: number) => B;
  private readonly free: (buffer: B) => void;
  /** Bytes that each lowered plan needs. */
  private readonly claims = new Set<{ readonly bytes: number }>();
  private held: B | undefined;

  /** @param allocate gives memory, or throws; then the arena is as it was */
  constructor(allocate: (bytes: number) => B, free: (buffer: B) => void) {
    this.allocate = allocate;
    this.free = free;
  }

  /** Where it lies now; another place after each claim that is made or withdrawn. */
  get buffer(): B | undefined {
    return this.held;
  }

  get bytes(): number {
    return this.held?.bytes ?? 0;
  }

  /** Makes room for a plan. @returns withdraws the claim; what no other plan needs is freed then */
  claim(bytes: number): () => void {
    const claim = { bytes };
    this.resize(Math.max(bytes, this.bytes));
    this.claims.add(claim);
    return () => {
      if (this.claims.delete(claim) && bytes === this.bytes) this.resize(Math.max(0, ...[...this.claims].map((c) => c.bytes)));
    };
  }

  private resize(bytes: number): void {
    const before = this.bytes;
    if (bytes === before) return;
    // Freed first, so that what is larger may lie where it lay.
    if (this.held) this.free(this.held);
    this.held = undefined;
    if (bytes === 0) return;
    try {
      this.held = this.allocate(bytes);
    } catch (error) {
      if (before > 0) this.held = this.allocate(before);
      throw error;
    }
  }
}
