import { TYPE } from "../model/messages.js";
import { SIGNAL } from "./protocol.js";

/** What each element type is called in onnxruntime's tensors, and the array of JavaScript that holds it. */
const TENSORS = {
  [TYPE.f32]: ["float32", "Float32Array"],
  [TYPE.u8]: ["uint8", "Uint8Array"],
  [TYPE.i8]: ["int8", "Int8Array"],
  [TYPE.u16]: ["uint16", "Uint16Array"],
  [TYPE.i32]: ["int32", "Int32Array"],
  [TYPE.bool]: ["bool", "Uint8Array"],
};

/**
 * What the thread runs, as plain text so that bundlers need no second file. Tensors lie in the memory of this thread, where onnxruntime reads and
 * writes them in place; its \`run\` blocks the thread that calls it, and this one has nothing else to do.
 */
export const THREAD_SOURCE: string = `
const { closeSync, openSync, readFileSync, readSync, rmSync, writeSync } = require("node:fs");
const { workerData: { path, port, signal }, receiveMessageOnPort, MessageChannel } = require("node:worker_threads");
const TENSORS = ${JSON.stringify(TENSORS)};
const buffers = new Map();
const sessions = new Map();
let ort;

const newMemory = (bytes) => ({ data: new ArrayBuffer(Math.ceil(Math.max(1, bytes) / 8) * 8), tensors: new Map() });
const memoryOf = (id, bytes) => {
  let memory = buffers.get(id);
  if (!memory) buffers.set(id, (memory = newMemory(bytes)));
  return memory;
};
const tensorOf = (memory, { key, type, shape, elements }) => {
  let tensor = memory.tensors.get(key);
  if (!tensor) {
    const [name, array] = TENSORS[type];
    memory.tensors.set(key, (tensor = new ort.Tensor(name, new globalThis[array](memory.data, 0, elements), shape)));
  }
  return tensor;
};
const described = (port) => ({ ...port, key: port.type + ":" + port.shape, elements: port.shape.reduce((a, b) => a * b, 1) });
// A transfer to nobody gives memory back at once instead of when it is collected.
const nobody = new MessageChannel().port1;
nobody.close();
const release = (memory) => memory.data.byteLength >= 65536 && nobody.postMessage(undefined, [memory.data]);

const arrayOf = (memory, bytes, name) => {
  const type = globalThis[name];
  return new type(memory, 0, Math.floor(bytes / type.BYTES_PER_ELEMENT));
};

const writeAll = (file, bytes, to) => {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, to + at);
};
const actions = {
  write({ buffer, bytes, offset, data }) {
    if (offset === 0 && data.byteLength === bytes && data.byteOffset === 0 && bytes % 8 === 0) buffers.set(buffer, { data: data.buffer, tensors: new Map() });
    else new Uint8Array(memoryOf(buffer, bytes).data, offset).set(data);
  },
  read({ buffer, offset, bytes }) {
    return new Uint8Array(memoryOf(buffer, offset + bytes).data.slice(offset, offset + bytes));
  },
  free({ buffer }) {
    const memory = buffers.get(buffer);
    if (!memory) return;
    buffers.delete(buffer);
    release(memory);
  },
  async open({ session, model, options, inputs, outputs }) {
    const opened = await ort.InferenceSession.create(model, options);
    sessions.set(session, { opened, inputs: inputs.map(described), outputs: outputs.map(described), spares: [] });
  },
  store({ path, parts }) {
    const loops = new Map();
    const file = openSync(path, "w");
    let made = new ArrayBuffer(0);
    for (const { offset, bytes, source, reads } of parts) {
      if (!source) {
        writeAll(file, new Uint8Array(memoryOf(reads[0].buffer, bytes).data, 0, bytes), offset);
        continue;
      }
      const { id, turns, parameters, body, arrays } = source;
      if (!loops.has(id)) loops.set(id, new Function(...parameters, body));
      if (made.byteLength < bytes) made = new ArrayBuffer(Math.ceil(bytes / 8) * 8);
      const given = reads.map((read, i) => arrayOf(memoryOf(read.buffer, read.bytes).data, read.bytes, arrays[i + 1]));
      loops.get(id)(turns, arrayOf(made, bytes, arrays[0]), ...given);
      writeAll(file, new Uint8Array(made, 0, bytes), offset);
    }
    closeSync(file);
  },
  async pack({ model, options, saved }) {
    await (await ort.InferenceSession.create(model, options)).release();
    const bytes = new Uint8Array(readFileSync(saved));
    rmSync(saved);
    return bytes;
  },
  append({ from, path, parts }) {
    const [source, target] = [openSync(from, "r"), openSync(path, "r+")];
    let part = new Uint8Array(0);
    for (const { offset, length, to } of parts) {
      if (part.length < length) part = new Uint8Array(length);
      for (let at = 0; at < length; ) at += readSync(source, part, at, length - at, offset + at);
      writeAll(target, part.subarray(0, length), to);
    }
    closeSync(source);
    closeSync(target);
    rmSync(from);
  },
  remove({ path }) {
    rmSync(path, { force: true });
  },
  async run({ session, inputs, outputs }) {
    const it = sessions.get(session);
    const feeds = {};
    const fetches = {};
    for (let i = 0; i < inputs.length; i++) feeds[it.inputs[i].name] = tensorOf(memoryOf(inputs[i], it.inputs[i].bytes), it.inputs[i]);
    const alternated = [];
    for (let i = 0; i < outputs.length; i++) {
      const port = it.outputs[i];
      // onnxruntime may not write where it reads: a result that takes the place of an input is written beside it, and the two are swapped.
      const memory = inputs.includes(outputs[i]) ? (it.spares[i] ??= newMemory(port.bytes)) : memoryOf(outputs[i], port.bytes);
      if (memory === it.spares[i]) alternated.push(i);
      fetches[port.name] = tensorOf(memory, port);
    }
    await it.opened.run(feeds, fetches);
    for (const i of alternated) {
      const before = buffers.get(outputs[i]);
      buffers.set(outputs[i], it.spares[i]);
      it.spares[i] = before;
    }
  },
  async close({ session }) {
    const it = sessions.get(session);
    sessions.delete(session);
    it.spares.forEach((memory) => memory && release(memory));
    await it.opened.release();
  },
};

const answer = (call, result, error) => {
  port.postMessage({ call, result, error }, result ? [result.buffer] : []);
  Atomics.store(signal, ${SIGNAL.answered}, call);
};
const work = async () => {
  try {
    ort = require(path);
    // Errors are thrown, too.
    ort.env.logLevel = "fatal";
    answer(0, new TextEncoder().encode(JSON.stringify(ort.listSupportedBackends())));
  } catch (error) {
    return answer(0, undefined, String(error.message));
  }
  for (;;) {
    const sent = Atomics.load(signal, ${SIGNAL.sent});
    for (let next; (next = receiveMessageOnPort(port)); ) {
      const { call, request } = next.message;
      if (request.do === "stop") return port.close();
      try {
        const pending = actions[request.do](request);
        const result = pending instanceof Promise ? await pending : pending;
        if (call > 0) answer(call, result);
      } catch (error) {
        if (call > 0) answer(call, undefined, String(error.message));
      }
    }
    Atomics.wait(signal, ${SIGNAL.sent}, sent);
  }
};
void work();
`;
