export function watchFolders(root: string, folders: string[], onChange: (path: string) => void): () => void;
