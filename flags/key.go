package flags

import (
	"fmt"
	"regexp"
	"strings"
)

// StoreKey is the key under which a store keeps the flag of an environment: <environment>.<key>. The key may have dots
// of its own (<set>.<flag>); the environment must not. ValidKey says which characters both may have.
func StoreKey(environment, key string) string { return environment + "." + key }

// SplitKey takes a store key apart. Without a dot all of it is the flag's key.
func SplitKey(storeKey string) (environment, key string) {
	environment, key, ok := strings.Cut(storeKey, ".")
	if !ok {
		return "", storeKey
	}
	return environment, key
}

var keyCharacters = regexp.MustCompile(`^[-/_=.a-zA-Z0-9]{1,200}$`)

// ValidKey refuses what NATS KV refuses as a key: other characters than letters, digits and - / _ = ., and empty parts
// between dots. The length is limited to 200.
func ValidKey(key string) error {
	if !keyCharacters.MatchString(key) || strings.HasPrefix(key, ".") || strings.HasSuffix(key, ".") || strings.Contains(key, "..") {
		return fmt.Errorf("flag key %q: use 1 to 200 letters, digits, - / _ = and single dots inside", key)
	}
	return nil
}
