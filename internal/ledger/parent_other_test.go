//go:build ledger && !linux

package ledger

import "syscall"

// diesWithParent does nothing where the kernel does not offer it.
func diesWithParent() *syscall.SysProcAttr { return nil }
