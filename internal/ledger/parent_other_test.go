//go:build ledger && !linux

package ledger

import "syscall"

// diesWithParent returns nil: this kernel has no such feature.
func diesWithParent() *syscall.SysProcAttr { return nil }
