package flags

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// Reset is a person's word that a flag which was turned off may be ramped again, by a later rollout: the stopped ones
// stay stopped. It changes nothing that is served. A flag that was not turned off stays as it is.
type Reset struct {
	By     string // the person
	Reason string // at most 200 characters are kept
}

// Edit refuses a reset without a person or a reason, and the zero Flag.
func (r Reset) Edit(f Flag) (Flag, error) {
	by, reason := oneLine(r.By), oneLine(r.Reason)
	switch {
	case !f.Exists():
		return Flag{}, ErrNotFound
	case by == "" || reason == "":
		return Flag{}, fmt.Errorf("reset flag %q: %w", f.key, errors.New("say who resets it, and why"))
	case !f.mark.Killed:
		return f, nil
	}
	m := f.mark
	m.Killed, m.Share, m.Also, m.ResetBy, m.Reason = false, 0, nil, by, reason
	fields := maps.Clone(f.fields)
	fields["metadata"] = m.into(fields["metadata"])
	return build(f.key, fields)
}

func (Reset) insists() bool { return false }

// oneLine keeps a person's words from breaking a line in a terminal or a log.
func oneLine(s string) string {
	words := []rune(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " "))
	return string(words[:min(len(words), 200)])
}
