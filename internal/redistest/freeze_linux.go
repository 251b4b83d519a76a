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

// freeze stops a process before it is killed, so that the kill does not interrupt a system call. A
// process that is killed during a write leaves a part of it in the file. Redis (also 8.6) repairs
// an append-only file that ends within a transaction incorrectly: the beginning of the transaction
// remains, and after the next restart its commands are executed together with a later transaction.
func freeze(process *os.Process) {
	if process.Signal(syscall.SIGSTOP) != nil {
		return // the process has ended
	}
	for end := time.Now().Add(freezeTimeout); time.Now().Before(end); <-time.After(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", process.Pid))
		_, state, _ := bytes.Cut(stat, []byte(") "))
		if err != nil || len(state) == 0 || state[0] != 'R' && state[0] != 'S' && state[0] != 'D' {
			return // stopped, or ended
		}
	}
}
