package deployments

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
)

// Slot is one service in one environment. It has at most one live rollout.
type Slot struct {
	Environment string `json:"environment"`
	Service     string `json:"service"`
}

// String is environment/service.
func (s Slot) String() string { return s.Environment + "/" + s.Service }

// Subject is the slot as two tokens of a NATS subject.
func (s Slot) Subject() string { return s.Environment + "." + s.Service }

// Partition is the slot's partition among n: the FNV-1a hash of its subject, modulo n.
func (s Slot) Partition(n int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.Subject()))
	return int(h.Sum32() % uint32(n))
}

var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

// Validate refuses names that are no single token of a subject.
func (s Slot) Validate() error {
	for what, v := range map[string]string{"service": s.Service, "environment": s.Environment} {
		if !name.MatchString(v) {
			return fmt.Errorf("%s %q is not a name: 1 to 63 of letters, digits, - and _", what, v)
		}
	}
	return nil
}

// SlotOf reads the last two tokens of a subject such as serin.release.<environment>.<service>.
func SlotOf(subject string) (Slot, error) {
	tokens := strings.Split(subject, ".")
	if len(tokens) < 2 {
		return Slot{}, fmt.Errorf("subject %q names no environment and service", subject)
	}
	s := Slot{Environment: tokens[len(tokens)-2], Service: tokens[len(tokens)-1]}
	return s, s.Validate()
}
