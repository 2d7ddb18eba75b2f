// A process of its own: the native code of the package writes to stderr what no user of `weft doctor` can use, and may end the process.

/** What the process prints. */
export type WebGpuProbe = { readonly installed: false } | { readonly installed: true; readonly adapter: string | null };

async function probe(): Promise<WebGpuProbe> {
  try {
    // Optional: 130 MB of native code that only GPU work needs. The name is not a literal, so that no bundler looks for it.
    const name = "webgpu";
    const { create, globals } = (await import(name)) as {
      create(flags: string[]): { requestAdapter(): Promise<{ info: { vendor: string; device: string; description: string } } | null> };
      globals: object;
    };
    Object.assign(globalThis, globals);
    const adapter = await create([]).requestAdapter();
    if (!adapter) return { installed: true, adapter: null };
    const { vendor, device, description } = adapter.info;
    return { installed: true, adapter: [vendor, device, description].filter(Boolean).join(" ") };
  } catch {
    return { installed: false };
  }
}

process.stdout.write(JSON.stringify(await probe()), () => process.exit());
