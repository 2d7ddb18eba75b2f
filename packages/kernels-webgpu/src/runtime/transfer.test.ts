import { expect, it, vi } from "vitest";
import { useTestDevice } from "../testing/gpu.js";

const gpu = useTestDevice();

it("reads back through a ring of at most three staging buffers", async () => {
  const { backend } = gpu;
  const buffers = Array.from({ length: 5 }, (_, i) => {
    const buffer = backend.allocate(64);
    backend.upload(buffer, new Uint8Array(64).fill(i));
    return buffer;
  });
  const created = vi.spyOn(backend.device, "createBuffer");
  const readAll = async (count: number): Promise<number[]> =>
    (await Promise.all(buffers.slice(0, count).map((b) => backend.download(b, 0, 64)))).map((bytes) => bytes[63]!);
  const made = async (count: number): Promise<number> => {
    created.mockClear();
    expect(await readAll(count)).toEqual([0, 1, 2, 3, 4].slice(0, count));
    return created.mock.calls.length;
  };
  // Five at once need five; three of them are kept.
  expect(await made(5)).toBe(5);
  expect(await made(3)).toBe(0);
  expect(await made(4)).toBe(1);
  for (let i = 0; i < 10; i++) expect(await made(1)).toBe(0);
  vi.restoreAllMocks();
});
