import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { CapabilityError, DeviceError } from "@weft/tensor-core";
import type { Provider } from "../providers.js";
import { INSTALL, type Peer } from "./peer.js";
import { type Answer, type Request, SIGNAL } from "./protocol.js";
import { THREAD_SOURCE } from "./thread-source.js";

/** How long a call looks out for its answer before it lets others go on, in ms: about what being woken by a message takes. */
const WATCH_MS = 0.2;

interface Waiting {
  readonly resolve: (result: Uint8Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** The thread that onnxruntime runs in. Requests are done in the order in which they were made; it keeps no process alive but while one is waited for. */
export class OrtThread {
  private readonly worker: Worker;
  private readonly port: MessagePort;
  private readonly signal = new Int32Array(new SharedArrayBuffer(8));
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;
  private lost: Error | undefined;

  private constructor({ path }: Peer) {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.worker = new Worker(THREAD_SOURCE, { eval: true, workerData: { path, port: port2, signal: this.signal }, transferList: [port2] });
    this.port.on("message", (answer: Answer) => this.take(answer));
    const ended = (reason: string): void =>
      this.fail(new DeviceError(`the thread of onnxruntime has ended: ${reason}`, { kind: "device-lost" }));
    this.worker.on("error", (error) => ended(error.message));
    this.worker.on("exit", () => ended("it was stopped"));
    this.worker.unref();
    this.port.unref();
  }

  /** Starts the thread, loads onnxruntime there and asks it for its providers. @throws CapabilityError kind `onnxruntime-broken` if it does not load */
  static async start(peer: Peer): Promise<{ readonly thread: OrtThread; readonly available: readonly Provider[] }> {
    const thread = new OrtThread(peer);
    try {
      const listed = await thread.answerTo(0);
      return { thread, available: JSON.parse(new TextDecoder().decode(listed)) as Provider[] };
    } catch (cause) {
      thread.stop();
      throw new CapabilityError(`onnxruntime-node ${peer.version} does not start: ${(cause as Error).message}`, {
        kind: "onnxruntime-broken",
        hint: INSTALL,
        cause,
      });
    }
  }

  /** Has something done; what `transfer` lists goes over to the thread. */
  send(request: Request, transfer: readonly ArrayBuffer[] = []): void {
    this.post(0, request, transfer);
  }

  /** Has something given back; of a thread that has ended nothing is left to give back. */
  release(request: Request): void {
    if (!this.lost) this.post(0, request, []);
  }

  /** Has something done and waits for it: at once if it takes no longer than waiting would. @throws Error with the thread's message */
  call(request: Request, transfer: readonly ArrayBuffer[] = []): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    const call = ++this.last;
    this.post(call, request, transfer);
    for (const until = performance.now() + WATCH_MS; performance.now() < until;) {
      if (Atomics.load(this.signal, SIGNAL.answered) < call) continue;
      for (;;) {
        const { message } = receiveMessageOnPort(this.port) as { message: Answer };
        if (message.call !== call) this.take(message);
        else if (message.error !== undefined) throw new Error(message.error);
        else return message.result;
      }
    }
    return this.answerTo(call);
  }

  /** Ends the thread when it has done what it was asked for. */
  stop(): void {
    this.send({ do: "stop" });
    this.worker.removeAllListeners();
    this.fail(new DeviceError("the backend is used after dispose()"));
  }

  private post(call: number, request: Request, transfer: readonly ArrayBuffer[]): void {
    if (this.lost) throw this.lost;
    this.port.postMessage({ call, request }, [...transfer]);
    Atomics.add(this.signal, SIGNAL.sent, 1);
    Atomics.notify(this.signal, SIGNAL.sent);
  }

  private answerTo(call: number): Promise<Uint8Array | undefined> {
    if (this.waiting.size === 0) this.port.ref();
    return new Promise((resolve, reject) => this.waiting.set(call, { resolve, reject }));
  }

  private take({ call, result, error }: Answer): void {
    const waiting = this.waiting.get(call);
    this.waiting.delete(call);
    if (this.waiting.size === 0) this.port.unref();
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  private fail(error: Error): void {
    this.lost = error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    this.port.unref();
  }
}
