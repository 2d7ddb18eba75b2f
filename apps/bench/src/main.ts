process.stdout.write("usage: bench <suite…> [--json FILE]\n");
