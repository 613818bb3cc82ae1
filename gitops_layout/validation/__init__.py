"""What the API server would say of an object, without one."""
