//go:build e2e

package flagclients

import (
	_ "github.com/Unleash/unleash-client-go/v4"
	_ "github.com/launchdarkly/go-server-sdk/v7"
	_ "github.com/open-feature/go-sdk-contrib/providers/flagd/pkg"
	_ "github.com/open-feature/go-sdk-contrib/providers/launchdarkly/pkg"
	_ "github.com/open-feature/go-sdk-contrib/providers/ofrep"
	_ "github.com/serin-cd/serin/flags"
)
