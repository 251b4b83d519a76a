//go:build !linux

package redistest

import "syscall"

// diesWithParent returns nil: this kernel has no such feature.
func diesWithParent() *syscall.SysProcAttr { return nil }
