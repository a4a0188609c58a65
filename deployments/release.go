package deployments

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Release is the event "version V of service S runs beside stable and has no traffic yet".
// Service and environment come from the subject it was published on.
type Release struct {
	Slot
	ID       string          `json:"id"`                 // of the event: the same id twice is the same release
	Version  string          `json:"version"`            // what the {{version}} of rules stands for
	Artifact string          `json:"artifact,omitempty"` // a package URL
	Commit   string          `json:"commit,omitempty"`
	Ref      string          `json:"ref,omitempty"`
	Author   string          `json:"author,omitempty"`
	RunURL   string          `json:"run_url,omitempty"`
	Change   string          `json:"change_url,omitempty"`
	Extra    json.RawMessage `json:"extra,omitempty"` // fields Serin does not know, echoed in events
	Trace    Trace           `json:"trace,omitzero"`
	Order    Order           `json:"order,omitzero"`
}

// Order is a release's place in the stream it was published to.
type Order struct {
	Seq uint64    `json:"seq"` // in the stream
	At  time.Time `json:"at"`  // when the stream took it
}

// Before reports whether a release was published before another. It takes both the sequence and the clock to say so: a
// stream that was made anew counts from 1 again, and a clock may be set back.
func (o Order) Before(p Order) bool { return o.Seq < p.Seq && o.At.Before(p.At) }

// maxVersion bounds a version, in bytes.
const maxVersion = 128

// Validate refuses a release that no event could carry.
func (r Release) Validate() error {
	if err := r.Slot.Validate(); err != nil {
		return err
	}
	switch {
	case r.Version == "":
		return errors.New("the version is empty")
	case len(r.Version) > maxVersion:
		return fmt.Errorf("the version has %d bytes, more than %d", len(r.Version), maxVersion)
	case !utf8.ValidString(r.Version) || strings.ContainsFunc(r.Version, unicode.IsControl):
		return fmt.Errorf("the version %q has characters that cannot be printed", r.Version)
	}
	return nil
}
