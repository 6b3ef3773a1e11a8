"""What is being told: the shapes (chapter, story, lifecycle), where something belongs, what is open and what is closed."""
