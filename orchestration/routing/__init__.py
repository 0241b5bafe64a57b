"""Which endpoint is called: health, breakers, balancing, versions, failover, discovery."""
