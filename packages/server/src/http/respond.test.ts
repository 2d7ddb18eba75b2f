import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, test } from "vitest";
import { EventStream } from "./respond.js";

test("a stream goes no faster than it is read, and ends where it is not read at all", async () => {
  let sent = 0;
  let held = 0;
  let failure: unknown;
  const server = createServer((_, response) => {
    const events = new EventStream(response, 300);
    const fill = async (): Promise<void> => {
      for (;;) {
        await events.send("x".repeat(10_000));
        held = Math.max(held, response.writableLength);
        sent++;
      }
    };
    fill().catch((error: unknown) => (failure = error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  socket.on("error", () => {}).pause();
  await expect.poll(() => failure, { timeout: 10_000 }).toMatchObject({ name: "CancelledError" });
  expect(sent).toBeGreaterThan(1);
  expect(held).toBeLessThan(100_000);
  socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});
