package redistest

import (
	"fmt"
	"testing"
)

// Denied returns what users were denied since the last call, newest first: the command, key or
// channel, and in which context ("toplevel", "lua").
func (s *Server) Denied(t testing.TB) []string {
	t.Helper()
	entries, _ := s.must(t, "ACL", "LOG").([]any)
	s.must(t, "ACL", "LOG", "RESET")
	denied := make([]string, len(entries))
	for i, entry := range entries {
		fields := fieldsOf(entry)
		denied[i] = fmt.Sprintf("%s of %s (%s)", fields["object"], fields["username"], fields["context"])
	}
	return denied
}
