//go:build !linux

package redistest

import "syscall"

// diesWithParent does nothing where the kernel does not offer it.
func diesWithParent() *syscall.SysProcAttr { return nil }
