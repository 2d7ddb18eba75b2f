/** Where a kernel that takes indices reports one that is out of range. The host reads it after the call. */
@unmanaged
export class IndexReport {
  badIndex: i32;
  failed: i32;
}

// @ts-ignore: decorator
@inline
export function outOfRange(report: IndexReport, index: i32): void {
  report.badIndex = index;
  report.failed = 1;
}
