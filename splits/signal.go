package splits

// signal wakes one goroutine. It holds one token and drops the rest: the state that it points at is
// the truth.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) raise() {
	select {
	case s <- struct{}{}:
	default:
	}
}
