// What a widget can do with its kernel besides sending messages.

export interface Kernel {
  status?: string;
  interrupt(): Promise<void> | void;
  statusChanged?: Signal;
}

interface Signal {
  connect(slot: (sender: unknown, status: string) => void): void;
  disconnect(slot: (sender: unknown, status: string) => void): void;
}

/** Call `gone` when the kernel restarts or ends. */
export function watchKernel(kernel: Kernel | undefined, gone: () => void): () => void {
  const slot = (_: unknown, status: string) => {
    if (/^(restarting|autorestarting|dead|terminating)$/.test(status)) gone();
  };
  kernel?.statusChanged?.connect(slot);
  return () => kernel?.statusChanged?.disconnect(slot);
}
