package redistest

import "syscall"

// diesWithParent makes the kernel kill the server when the thread that started it ends, so that a
// killed test leaves nothing behind.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
