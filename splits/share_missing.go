package splits

import "time"

// lost reports whether an entry that is to be loaded and is not in the stream was lost. If
// acknowledged entries are deleted, another member may have acknowledged it. Then it is lost only if
// an audit that begins now still finds it pending: the audit drops it otherwise. The lock is held.
func (s *shareSplit) lost(o Offset) bool {
	if !s.set.cfg.DeleteAcknowledged || s.missing[o] {
		delete(s.missing, o)
		return true
	}
	if s.missing == nil {
		s.missing = map[Offset]bool{}
	}
	s.missing[o] = false
	s.auditDue = time.Time{}
	return false
}

// noteMissing notes which missing entries an audit found to be pending. If its answer may lack
// offsets, all of them count as pending. The lock is held.
func (s *shareSplit) noteMissing(pending map[Offset]bool, partial bool) {
	for o := range s.missing {
		if s.missing[o] = pending[o] || partial; !s.missing[o] {
			delete(s.missing, o)
		}
	}
}
