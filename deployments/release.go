package deployments

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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
}

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
