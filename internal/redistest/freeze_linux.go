package redistest

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"time"
)

// freezeTimeout bounds the wait for a process that is in a system call.
const freezeTimeout = 5 * time.Second

// freeze stops a process that is about to be killed, so that it is in no system call. A process
// that is killed in the middle of a write leaves a part of it in the file, and Redis (8.6 too)
// repairs an append-only file that ends within a transaction in a way that spoils it: the beginning
// of the transaction stays, and after the next restart its commands are executed together with
// those of a later one.
func freeze(process *os.Process) {
	if process.Signal(syscall.SIGSTOP) != nil {
		return // it is gone
	}
	for end := time.Now().Add(freezeTimeout); time.Now().Before(end); <-time.After(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process.Pid))
		_, state, _ := bytes.Cut(stat, []byte(") "))
		if err != nil || len(state) == 0 || state[0] != 'R' && state[0] != 'S' && state[0] != 'D' {
			return // it is stopped, or gone
		}
	}
}
